package store

import "context"

func (t *tx) appendToLog(ctx context.Context) (int64, error) { return 0, nil }
