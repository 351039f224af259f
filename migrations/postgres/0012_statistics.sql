-- PostgreSQL gathers statistics by itself. This keeps the numbers of both databases' migrations together.
SELECT 1;
