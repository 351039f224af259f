// Command bench measures what Keywright costs beside the least that could do the same work, and prints ratios:
//
//	go run ./bench           all of it, about five minutes
//	go run ./bench -quick    a glance, within a minute
//	go run ./bench -run 'validate|fan-out'
//	go run ./bench -profile /tmp/profiles
//
// A number of requests per second says more about the machine and its other users than about the program. So each
// benchmark runs beside a baseline that answers the same wire format: a bare net/http handler with the same SQL through
// the same store, the same statements straight through the driver, a bare broadcast of the same bytes. Both are
// processes of their own, asked by the same load over loopback, in alternating rounds; the ratio is that of two
// neighbouring rounds, and the median of those is printed.
//
// The program is itself in three parts: the one that asks and prints, the bare server (bare.go), and a Keywright that
// writes CPU profiles (profile.go). The latter two are started by the first.
package main
