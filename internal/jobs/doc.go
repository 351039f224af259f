// Package jobs is work that is done after the change that causes it, and again until it is done.
//
// Queue puts a job into the transaction of the change: when that is rolled back there is no job, and when it is committed
// no crash can lose it (P4). A Runner works the jobs of all nodes; each job is worked by one node at a time.
//
//	change ──commit──> notify ──commit──> send_mail ──> done
//	                     │ ^                 │ ^
//	                     └─┘ 1 s … 60 s      └─┘ 1 s … 5 min, for three days
//
// A job that was being worked when its node died is taken over by another within two minutes, so a job may be
// worked twice, and its work bears that. Arguments are ids: they can be read in the database.
package jobs
