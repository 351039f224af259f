package secret_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/secret"
)

const (
	goldenKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // the bytes 0 to 31
	otherKey  = "//////////////////////////////////////////8="
)

func goldenKeyring(t testing.TB) *secret.Keyring {
	t.Helper()
	return loadKeyring(t, 1, map[int]string{1: goldenKey})
}

func loadKeyring(t testing.TB, current int, keys map[int]string) *secret.Keyring {
	t.Helper()
	content := ""
	for version, key := range keys {
		if content != "" {
			content += ","
		}
		content += fmt.Sprintf(`{"version":%d,"createdAt":"2026-11-21T10:00:00Z","key":%q}`, version, key)
	}
	path := filepath.Join(t.TempDir(), "server.secret")
	write(t, path, fmt.Sprintf(`{"current":%d,"secrets":[%s]}`, current, content))
	ring, err := secret.LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A change of any of these would make every stored credential unknown.
func TestKeyring_DerivedValuesStayTheSame(t *testing.T) {
	ring := goldenKeyring(t)
	digest := ring.Digest(1, goldenCredential(t))
	for got, want := range map[string]string{
		hex.EncodeToString(digest[:]): "4fbfd3f1849206e0e32537f7183a915fd8454842fc32f404c2a685931a103561",
		ring.Fingerprint(1):           "1b29c3c2faf2c2ce",
		hex.EncodeToString(ring.ChainMAC(1, []byte("ab"), []byte("c"))): "445207aae0ff3b9ddad3b586b04f6de35bdd6c0f440333e1ed13635f3f0f6e8d",
		hex.EncodeToString(ring.MAC(1, "cursor", []byte("c"))):          "ba0aeb79ac7249fc995e9e293737671a0217046f18f3a5099d70eb9b8f46c4d4",
		hex.EncodeToString(ring.PublicKey(1)):                           "d2febb90ecb1cb5184fb33befcbce619e58026f5e536da069e6010ef65ddf979",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestR32_DigestsNeedTheServerSecret(t *testing.T) {
	c := newCredential(t, "kw")
	ring, foreign := goldenKeyring(t), loadKeyring(t, 1, map[int]string{1: otherKey})
	if ring.Digest(1, c) == foreign.Digest(1, c) || ring.Fingerprint(1) == foreign.Fingerprint(1) {
		t.Error("another server secret gives the same")
	}
	moved := loadKeyring(t, 2, map[int]string{2: goldenKey})
	if ring.Digest(1, c) == moved.Digest(2, c) || ring.Fingerprint(1) == moved.Fingerprint(2) {
		t.Error("a secret under another version number gives the same")
	}
}

func TestKeyring_SignaturesVerifyUnderTheirVersionsPublicKeyOnly(t *testing.T) {
	ring := loadKeyring(t, 1, map[int]string{1: goldenKey, 2: goldenKey})
	signature := ring.Sign(1, []byte("message"))
	if !ed25519.Verify(ring.PublicKey(1), []byte("message"), signature) {
		t.Error("the signature does not verify")
	}
	if ed25519.Verify(ring.PublicKey(1), []byte("massage"), signature) || ed25519.Verify(ring.PublicKey(2), []byte("message"), signature) {
		t.Error("it verifies for another message, or under another version's key")
	}
	if ring.Sign(3, []byte("message")) != nil || ring.PublicKey(3) != nil {
		t.Error("a version that is not there signs")
	}
}

func TestR34_DigestsOfAllVersionsTheCurrentOneFirst(t *testing.T) {
	c := newCredential(t, "kw")
	for current, want := range map[int][]int{1: {1, 10, 3, 2}, 3: {3, 10, 2, 1}, 10: {10, 3, 2, 1}} {
		ring := loadKeyring(t, current, map[int]string{1: goldenKey, 2: otherKey, 3: goldenKey, 10: otherKey})
		if got := ring.Versions(); !slices.Equal(got, want) || ring.Current() != current {
			t.Errorf("current %d: the order is %v, want %v", current, got, want)
		}
		digests := ring.Digests(c)
		if len(digests) != len(want) {
			t.Fatalf("%d digests", len(digests))
		}
		for i, d := range digests {
			if d.Version != want[i] || d.Digest != ring.Digest(want[i], c) {
				t.Errorf("current %d: digest %d is not that of version %d", current, i, want[i])
			}
		}
	}
}

func TestKeyring_UnknownVersionsGiveNothing(t *testing.T) {
	ring := goldenKeyring(t)
	for _, version := range []int{-1, 0, 2} {
		if ring.Has(version) || ring.Digest(version, goldenCredential(t)) != [32]byte{} || ring.ChainMAC(version, nil) != nil ||
			ring.MAC(version, "cursor") != nil || ring.Fingerprint(version) != "" {
			t.Errorf("version %d gives something", version)
		}
	}
}

func TestKeyring_PartsAndPurposesAreToldApart(t *testing.T) {
	ring := goldenKeyring(t)
	b := func(parts ...string) (data [][]byte) {
		for _, p := range parts {
			data = append(data, []byte(p))
		}
		return data
	}
	sums := map[string]string{}
	for name, sum := range map[string][]byte{
		"chain ab,c":     ring.ChainMAC(1, b("ab", "c")...),
		"chain a,bc":     ring.ChainMAC(1, b("a", "bc")...),
		"chain abc":      ring.ChainMAC(1, b("abc")...),
		"chain abc,":     ring.ChainMAC(1, b("abc", "")...),
		"chain":          ring.ChainMAC(1),
		"cursor abc":     ring.MAC(1, "cursor", b("abc")...),
		"cursor":         ring.MAC(1, "cursor"),
		"other,abc":      ring.MAC(1, "other", b("abc")...),
		"cursorabc":      ring.MAC(1, "cursorabc"),
		"chain as other": ring.MAC(1, "log-chain", b("abc")...),
	} {
		if twin, ok := sums[string(sum)]; ok || len(sum) != 32 {
			t.Errorf("%s has the sum of %s (%d bytes)", name, twin, len(sum))
		}
		sums[string(sum)] = name
	}
}

func TestKeyring_ManyGoroutinesGetTheSameDigests(t *testing.T) {
	ring := goldenKeyring(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			own, err := secret.NewCredential(&counting{}, "kw")
			if err != nil {
				t.Error(err)
				return
			}
			want, link := ring.Digest(1, goldenCredential(t)), ring.ChainMAC(1, []byte("x"))
			for range 500 {
				if ring.Digest(1, own) != want || string(ring.ChainMAC(1, []byte("x"))) != string(link) {
					t.Error("a digest changed")
					return
				}
			}
		})
	}
	all.Wait()
}
