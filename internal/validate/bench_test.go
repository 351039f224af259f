package validate_test

import (
	"context"
	"testing"

	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/shared"
	"github.com/keywright/keywright/internal/testenv"
	"github.com/keywright/keywright/internal/validate"
)

func BenchmarkValidate(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) shared.State{
		"memory": func(b *testing.B) shared.State { return newMemory(b) },
		"redis":  func(b *testing.B) shared.State { return openRedis(b, testenv.Redis(b)) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkValidate(b, newWorld(b, open(b), nil)) })
	}
	b.Run("malformed", func(b *testing.B) {
		w := newWorld(b, newMemory(b), nil)
		garbage := &validate.Presentation{Credential: secret.NewText("kw_0000000000000000_00000000000000000000000000000000000000")}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Validate(context.Background(), tenantA, garbage); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchmarkValidate asks for a key whose facts are shared, from all processors.
func benchmarkValidate(b *testing.B, w *world) {
	p := &validate.Presentation{Credential: w.issue().Whole(), APIID: apiA, EnvironmentSlug: "dev"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if verdict, err := w.Validate(context.Background(), tenantA, p); err != nil || !verdict.IsValid() {
				b.Errorf("verdict %s: %v", verdict.Code, err)
				return
			}
		}
	})
}
