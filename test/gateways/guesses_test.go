package gateways

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/secret"
)

// At whichever doors: who asks at all of them in turn is noticed as soon as who asks at one.
func TestR61_WhoTriesSecretsForOneKeyIsToldOfAndItsOwnerIsServed(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		const many = 20
		y := newYard(t, o)
		token := y.gateway(t, "NGINX", true)
		prefix, rest, _ := strings.Cut(y.valid, "_")
		id, _, _ := strings.Cut(rest, "_")
		told := func() int { return strings.Count(y.server.Logs.String(), "publicId="+prefix+"_"+id) }
		doors := []string{"validate", "authorize", "gRPC", "introspection"}
		for i := range many {
			if n := told(); n != 0 {
				t.Errorf("told after %d guesses", i)
			}
			guess, err := secret.NewGeneration(rand.Reader, prefix, id)
			if err != nil {
				t.Fatal(err)
			}
			in := input{token: token, keys: []string{guess.Whole().Reveal()}}
			if got := badDoors[doors[i%len(doors)]](t, y, in); got.code != "NOT_FOUND" && got.code != "inactive" {
				t.Errorf("a guess: %+v", got)
			}
			if strings.Contains(y.server.Logs.String(), guess.SecretPart().Reveal()) {
				t.Error("P7: a guess stands in the log")
			}
		}
		if n := told(); n != 1 {
			t.Errorf("told %d times after %d guesses:\n%s", n, many, y.server.Logs)
		}
		if metrics := y.ask(t, "", "GET", "/metrics", nil).body; !strings.Contains(metrics, "\nkeywright_secret_guessing_total 1\n") {
			t.Errorf("the metrics do not say so: %s", metrics)
		}
		if got := askAuthorize(t, y, input{token: token, keys: []string{y.valid}}); got.status != 200 {
			t.Errorf("the owner gets %+v", got)
		}
	})
}
