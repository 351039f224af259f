// Package testenv starts real PostgreSQL and Redis servers for tests and takes them away again.
//
// A test that needs a database asks for one:
//
//	db := testenv.Postgres(t)    // URL of an empty database of its own, on a shared server
//	redis := testenv.Redis(t)    // redis:// URL of a server of its own
//
// A test that breaks servers asks for the server itself:
//
//	pg := testenv.PostgresServer(t, true) // fsync on: what was acknowledged must survive pg.Kill()
//	r := testenv.RedisServer(t)           // r.Pause() makes it hang, r.Stop() makes it refuse
//	s := testenv.RedisSentinel(t)         // s.CutReplication() and s.FailOver() lose the last writes, s.Rejoin() makes a pair again
//	d := testenv.SmallDisk(t, 64<<20)     // d.Fill() leaves no room on it, d.Free() makes room again
//	pg := testenv.PostgresOnDisks(t, d, nil)
//	c := testenv.RedisCluster(t)          // c.Nodes are three servers
//
// The shared PostgreSQL server is the one that KEYWRIGHT_TEST_POSTGRES names (the URL of an account that
// may create databases). Without it every test process starts its own, which costs about two seconds, and
// gives it back in [Main]:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// Every server listens on loopback alone and keeps its files in a temporary folder. On Linux it dies with the
// process that started it, however that process ends; the folder it then leaves is removed by the next one.
package testenv
