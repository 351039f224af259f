package shared

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// errURL says nothing of the URL: it may hold a password.
var errURL = errors.New("not the URL of a Redis: redis://, rediss:// or unix://, redis+sentinel://…?master_name=…, redis+cluster://… " +
	"(user:password@host:port/database, further addresses by addr=host:port)")

// parseURL reads where Redis is and how to sign in. What a URL can also say about timeouts, retries and replicas is
// not taken over: those decide what an answer is worth.
func parseURL(url string) (*redis.UniversalOptions, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	scheme, kind, _ := strings.Cut(scheme, "+")
	url = scheme + "://" + rest
	switch kind {
	case "":
		o, err := redis.ParseURL(url)
		if err != nil {
			return nil, errURL
		}
		return &redis.UniversalOptions{
			Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password,
			TLSConfig: o.TLSConfig, PoolSize: o.PoolSize,
		}, nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(url)
		if err != nil || o.MasterName == "" {
			return nil, errURL
		}
		return &redis.UniversalOptions{
			Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
			Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, PoolSize: o.PoolSize,
		}, nil
	case "cluster":
		o, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, errURL
		}
		return &redis.UniversalOptions{
			Addrs: o.Addrs, IsClusterMode: true, Username: o.Username, Password: o.Password,
			TLSConfig: o.TLSConfig, PoolSize: o.PoolSize,
		}, nil
	default:
		return nil, errURL
	}
}
