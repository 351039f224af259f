package secret_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/secret"
)

var created = time.Date(2026, 11, 21, 11, 30, 0, 123456789, time.FixedZone("CET", 3600))

func TestCreateKeyring_WritesTheFileItLoads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	ring, err := secret.CreateKeyring(path, &counting{}, created)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"current":1,"secrets":[{"version":1,"createdAt":"2026-11-21T10:30:00.123456Z","key":"` + goldenKey + `"}]}`
	if got := strings.Join(strings.Fields(string(content)), ""); got != want {
		t.Errorf("the file is %s", got)
	}
	if stat, _ := os.Stat(path); stat.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %#o", stat.Mode().Perm())
	}
	if ring.Fingerprint(1) != goldenKeyring(t).Fingerprint(1) {
		t.Error("another secret was loaded than written")
	}
	onlyFile(t, path)
}

func TestCreateKeyring_NeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	first, err := secret.CreateKeyring(path, rand.Reader, created)
	if err != nil {
		t.Fatal(err)
	}
	second, err := secret.CreateKeyring(path, rand.Reader, created)
	if err != nil || second.Fingerprint(1) != first.Fingerprint(1) {
		t.Errorf("the second start has another secret (%v)", err)
	}
	write(t, path, "damaged")
	if _, err := secret.CreateKeyring(path, rand.Reader, created); err == nil {
		t.Error("a damaged file was taken")
	}
	if content, _ := os.ReadFile(path); string(content) != "damaged" {
		t.Error("a damaged file was replaced")
	}
}

func TestCreateKeyring_OneOfManyCreatesAndTheOthersLoadTheWholeFile(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "server.secret")
		var (
			start, all   sync.WaitGroup
			fingerprints [16]string
		)
		start.Add(1)
		for i := range fingerprints {
			all.Go(func() {
				start.Wait()
				// A mere reader sees no file or the whole one.
				if _, err := secret.LoadKeyring(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("load: %v", err)
				}
				ring, err := secret.CreateKeyring(path, rand.Reader, created)
				if err != nil {
					t.Errorf("create: %v", err)
					return
				}
				fingerprints[i] = ring.Fingerprint(1)
			})
		}
		start.Done()
		all.Wait()
		for _, f := range fingerprints {
			if f != fingerprints[0] || f == "" {
				t.Fatalf("different secrets: %v", fingerprints)
			}
		}
		onlyFile(t, path)
	}
}

func TestLoadKeyring_EachFailureIsOnePlainSentenceNamingTheFile(t *testing.T) {
	entry := func(version, key string) string {
		return `{"version":` + version + `,"createdAt":"2026-11-21T10:00:00Z","key":"` + key + `"}`
	}
	for name, c := range map[string]struct{ content, want string }{
		"empty":           {"", "malformed"},
		"not JSON":        {"geheim", "malformed"},
		"half written":    {`{"current":1,"secrets":[{"version":1,"createdAt":"2026-11-21T10:00:00Z","key":"AAEC`, "malformed"},
		"two values":      {`{"current":1,"secrets":[` + entry("1", goldenKey) + `]}{}`, "malformed"},
		"not base64":      {`{"current":1,"secrets":[` + entry("1", "geheim!!") + `]}`, "malformed"},
		"number as key":   {`{"current":1,"secrets":[{"version":1,"key":987654321}]}`, "malformed"},
		"no secrets":      {`{"current":1,"secrets":[]}`, "current version 1"},
		"empty object":    {`{}`, "current version 0"},
		"current missing": {`{"current":2,"secrets":[` + entry("1", goldenKey) + `]}`, "current version 2 is not among its secrets"},
		"short key":       {`{"current":1,"secrets":[` + entry("1", "AAECAwQ=") + `]}`, "version 1 has 5 bytes and not 32"},
		"version 0":       {`{"current":0,"secrets":[` + entry("0", goldenKey) + `]}`, "no version of 1 or more"},
		"twice":           {`{"current":1,"secrets":[` + entry("1", goldenKey) + `,` + entry("1", otherKey) + `]}`, "version 1 occurs twice"},
		"endless":         {strings.Repeat(" ", 1<<20) + `{"current":1}`, "malformed"},
	} {
		path := filepath.Join(t.TempDir(), "server.secret")
		write(t, path, c.content)
		_, err := secret.LoadKeyring(path)
		plain(t, name, path, err, c.want)
		if err != nil && (strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "AAEC") || strings.Contains(err.Error(), "98765")) {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
}

func TestLoadKeyring_MissingOrNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	_, err := secret.LoadKeyring(path)
	plain(t, "missing", path, err, "no such file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = secret.LoadKeyring(path)
	plain(t, "a folder", path, err, "not a regular file")

	below := filepath.Join(path, "no", "such", "folder")
	_, err = secret.CreateKeyring(below, rand.Reader, created)
	plain(t, "create in no folder", below, err, "no such file")
}

func TestLoadKeyring_RefusesAFileOthersCanReadOrWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	if _, err := secret.CreateKeyring(path, rand.Reader, created); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o660, 0o602, 0o610, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.LoadKeyring(path)
		plain(t, mode.String(), path, err, "chmod 600")
		if _, err := secret.CreateKeyring(path, rand.Reader, created); err == nil {
			t.Errorf("%s: create took the file", mode)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.LoadKeyring(path); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if os.Geteuid() == 0 {
		return // root reads everything
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := secret.LoadKeyring(path)
	plain(t, "unreadable", path, err, "permission denied")
}

func TestR34_AVersionIsAddedFirstAndBecomesCurrentLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	before, err := secret.CreateKeyring(path, rand.Reader, created)
	if err != nil {
		t.Fatal(err)
	}
	c := newCredential(t, "kw")
	if version, err := secret.AddVersion(path, rand.Reader, created); version != 2 || err != nil {
		t.Fatalf("AddVersion: %d, %v", version, err)
	}
	added := reload(t, path)
	if added.Current() != 1 || !added.Has(2) || added.Digests(c)[0].Digest != before.Digest(1, c) {
		t.Error("the new version is used before every node has it")
	}
	if err := secret.SetCurrent(path, 2); err != nil {
		t.Fatal(err)
	}
	after := reload(t, path)
	if after.Current() != 2 || after.Digest(1, c) != before.Digest(1, c) || after.Digest(2, c) != added.Digest(2, c) || after.Digest(2, c) == after.Digest(1, c) {
		t.Error("the versions changed")
	}
	if stat, _ := os.Stat(path); stat.Mode().Perm() != 0o600 {
		t.Errorf("the mode is now %#o", stat.Mode().Perm())
	}
	onlyFile(t, path)
}

func TestAddVersion_ParallelCallsLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	if _, err := secret.CreateKeyring(path, rand.Reader, created); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	versions := make(chan int, 32)
	for range cap(versions) {
		all.Go(func() {
			version, err := secret.AddVersion(path, rand.Reader, created)
			if err == nil {
				versions <- version
			} else if !strings.Contains(err.Error(), "another process is changing it") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	close(versions)
	ring, seen := reload(t, path), map[int]bool{1: true}
	for version := range versions {
		if seen[version] || !ring.Has(version) {
			t.Errorf("version %d was given twice or lost", version)
		}
		seen[version] = true
	}
	if len(ring.Versions()) != len(seen) {
		t.Errorf("%d versions in the file, %d were added", len(ring.Versions()), len(seen))
	}
	onlyFile(t, path)
}

func TestChangingTheFile_AFailureLeavesItAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.secret")
	if err := secret.SetCurrent(path, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := secret.CreateKeyring(path, rand.Reader, created); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	plain(t, "unknown version", path, secret.SetCurrent(path, 7), "current version 7")
	if _, err := secret.AddVersion(path, bytes.NewReader(nil), created); err == nil {
		t.Error("added a version without randomness")
	}
	write(t, path+".lock", "")
	_, err := secret.AddVersion(path, rand.Reader, created)
	plain(t, "locked", path, err, path+".lock")
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
}

func FuzzLoadKeyring(f *testing.F) {
	f.Add([]byte(`{"current":1,"secrets":[{"version":1,"createdAt":"2026-11-21T10:00:00Z","key":"` + goldenKey + `"}]}`))
	f.Add([]byte(`{"current":-1,"secrets":[null,{}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "server.secret")
		write(t, path, string(content))
		ring, err := secret.LoadKeyring(path)
		if (ring == nil) == (err == nil) || (ring != nil && !ring.Has(ring.Current())) {
			t.Fatalf("%v, %v", ring, err)
		}
	})
}

func reload(t *testing.T, path string) *secret.Keyring {
	t.Helper()
	ring, err := secret.LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// plain checks that an error is one sentence that says what and where.
func plain(t *testing.T, name, path string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	if got := err.Error(); !strings.HasPrefix(got, "server secret file "+path+": ") || !strings.Contains(got, want) || strings.Contains(got, "\n") {
		t.Errorf("%s: %q does not say %q", name, got, want)
	}
}

// onlyFile checks that nothing temporary was left beside the file.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v)", entries, err)
	}
}
