package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// One of two nodes loses the database. It goes on from Redis, because the other one proves to it that Redis lacks nothing,
// and it learns of a suspension in the same way.
func TestR12_ANodeWithoutItsDatabaseAnswersFromRedisAndHearsOfChanges(t *testing.T) {
	s := newSite(t, 2, "")
	cut, other := s.nodes[0], s.nodes[1]
	token := s.nodes[0].client.Do(t, `mutation($i: RegisterGatewayInput!) { registerGateway(input: $i) { gatewayToken userErrors { code message path } } }`,
		vars{"i": vars{"name": "Cut off", "environmentId": s.environment, "dialect": "GENERIC"}}).Text(t, "registerGateway", "gatewayToken")
	set, apiKey := apptest.NewWorld(other.client).KeySet(t, s.application, s.environment, s.template, nil)
	ask := func() int { return authorize(t, cut.at(), token, apiKey) }
	await(t, "the key is admitted", func() bool { return ask() == http.StatusOK })

	cut.database.hold()
	const long = 10 // a node asks the others five times a second, so what its database proved has ended
	await(t, "the node asks the other for proof", func() bool { return metric(t, cut.at(), "keywright_challenges_total") >= long })
	await(t, "the key is admitted without the database", func() bool {
		switch status := ask(); status {
		case http.StatusOK:
			return true
		case http.StatusServiceUnavailable:
			return false
		default:
			t.Fatalf("status %d", status)
			return false
		}
	})

	other.client.Do(t, `mutation($id: ID!) { suspendKeySet(input: {id: $id}) { userErrors { code message } } }`, vars{"id": set})
	// What was outdated is gone from Redis: undecided, until the other node is asked and shares what it reads.
	await(t, "the key is not admitted any more", func() bool { return ask() != http.StatusOK })
	isRefused := func(status int) bool { return status == http.StatusUnauthorized || status == http.StatusForbidden }
	await(t, "the other node refuses the key", func() bool { return isRefused(authorize(t, other.at(), token, apiKey)) })
	await(t, "the node without its database refuses the key", func() bool { return isRefused(ask()) })
	for range 100 {
		if ask() == http.StatusOK {
			t.Fatal("a suspended key was admitted again")
		}
	}
	cut.database.release()
}

// authorize asks as a gateway does, and returns the status.
func authorize(t *testing.T, at apptest.Client, token, apiKey string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+"/v1/authorize", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Keywright-Gateway-Token", token)
	request.Header.Set("X-API-Key", apiKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func metric(t *testing.T, at apptest.Client, name string) float64 {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(fmt.Errorf("read %s: %w", name, err))
			}
			return value
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// await polls what happens by itself.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(20 * time.Millisecond); !condition(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}
