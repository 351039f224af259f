package secret_test

import (
	"crypto/rand"
	"testing"

	"github.com/keywright/keywright/internal/secret"
)

func BenchmarkParseReject(b *testing.B) {
	for name, s := range rejects() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = secret.Parse(s)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = secret.Parse(golden)
	}
}

func BenchmarkNewCredential(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = secret.NewCredential(rand.Reader, "kw")
	}
}

func BenchmarkDigest(b *testing.B) {
	ring, c := goldenKeyring(b), goldenCredential(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = ring.Digest(1, c)
	}
}

func BenchmarkParseAndDigests(b *testing.B) {
	ring := goldenKeyring(b)
	b.ReportAllocs()
	for b.Loop() {
		c, _ := secret.Parse(golden)
		_ = ring.Digests(c)
	}
}

func BenchmarkChainMAC(b *testing.B) {
	ring, row := goldenKeyring(b), make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		_ = ring.ChainMAC(1, row[:32], row)
	}
}

func BenchmarkSeal(b *testing.B) {
	ring, text := goldenKeyring(b), secret.NewText(golden)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ring.Seal(text, here)
	}
}

func BenchmarkOpen(b *testing.B) {
	ring := goldenKeyring(b)
	sealed := seal(b, ring, golden)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ring.Open(sealed, here)
	}
}
