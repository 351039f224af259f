package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// notOwner are the permission bits of everyone but the owner.
const notOwner fs.FileMode = 0o077

// posix says whether files have permission bits and folders can be synced.
const posix = runtime.GOOS != "windows"

// keyringFile is the file, as JSON.
type keyringFile struct {
	Current int          `json:"current"`
	Secrets []fileSecret `json:"secrets"`
}

type fileSecret struct {
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	Key       []byte    `json:"key"` // 32 bytes; base64 in the file
}

// CreateKeyring makes a server secret file with one version and loads it. If
// the file is there, or another process makes it at the same moment, that file
// is loaded instead: it appears complete or not at all, and is never replaced.
//
// The caller makes sure that this is a first start: digests and sealed values
// written under another file are worthless under a new one ([Keyring.Fingerprint]).
func CreateKeyring(path string, random io.Reader, now time.Time) (*Keyring, error) {
	ring, err := LoadKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	first, err := newFileSecret(random, 1, now)
	if err != nil {
		return nil, fileError(path, err)
	}
	if err := writeFile(path, keyringFile{Current: 1, Secrets: []fileSecret{first}}, linkNew); err != nil {
		return nil, fileError(path, err)
	}
	return LoadKeyring(path)
}

// LoadKeyring reads a server secret file. Each way this can fail is one plain
// sentence with the file's name and nothing of its content; a missing file is
// an [fs.ErrNotExist]. A file that anyone but its owner may read or write is
// refused.
func LoadKeyring(path string) (*Keyring, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	ring, err := newKeyring(file)
	if err != nil {
		return nil, fileError(path, err)
	}
	return ring, nil
}

// AddVersion appends a new version to the file and returns its number. It is
// not yet the current one: first every node has to load it, or a node that has
// not would refuse what the others issue under it. Then [SetCurrent].
func AddVersion(path string, random io.Reader, now time.Time) (int, error) {
	var added int
	err := change(path, func(file *keyringFile) error {
		for _, s := range file.Secrets {
			added = max(added, s.Version)
		}
		added++
		next, err := newFileSecret(random, added, now)
		file.Secrets = append(file.Secrets, next)
		return err
	})
	if err != nil {
		return 0, fileError(path, err)
	}
	return added, nil
}

// SetCurrent makes a version of the file the one that is written with, from the
// next time the file is loaded.
func SetCurrent(path string, version int) error {
	err := change(path, func(file *keyringFile) error {
		file.Current = version
		return nil
	})
	if err != nil {
		return fileError(path, err)
	}
	return nil
}

func newKeyring(file keyringFile) (*Keyring, error) {
	ring := &Keyring{current: file.Current, versions: make(map[int]*subkeys)}
	for i, s := range file.Secrets {
		if s.Version < 1 {
			return nil, fmt.Errorf("entry %d has no version of 1 or more", i+1)
		}
		if ring.Has(s.Version) {
			return nil, fmt.Errorf("version %d occurs twice", s.Version)
		}
		if len(s.Key) != keyLen {
			return nil, fmt.Errorf("the key of version %d has %d bytes and not %d", s.Version, len(s.Key), keyLen)
		}
		keys, err := newSubkeys(s.Key, s.Version)
		if err != nil {
			return nil, err
		}
		ring.versions[s.Version] = keys
		ring.order = append(ring.order, s.Version)
	}
	if !ring.Has(ring.current) {
		return nil, fmt.Errorf("the current version %d is not among its secrets", ring.current)
	}
	slices.SortFunc(ring.order, func(a, b int) int {
		switch ring.current {
		case a:
			return -1
		case b:
			return 1
		}
		return b - a
	})
	return ring, nil
}

func newFileSecret(random io.Reader, version int, now time.Time) (fileSecret, error) {
	key := make([]byte, keyLen)
	if _, err := io.ReadFull(random, key); err != nil {
		return fileSecret{}, fmt.Errorf("read randomness: %w", err)
	}
	return fileSecret{Version: version, CreatedAt: now.UTC().Truncate(time.Microsecond), Key: key}, nil
}

func readFile(path string) (keyringFile, error) {
	const limit = 1 << 20 // some thousand versions
	f, err := os.Open(path)
	if err != nil {
		return keyringFile{}, withoutPath(err)
	}
	defer func() { _ = f.Close() }()
	// Asked of the open file: its name might lead to another one by now.
	stat, err := f.Stat()
	if err != nil {
		return keyringFile{}, withoutPath(err)
	}
	if !stat.Mode().IsRegular() {
		return keyringFile{}, errors.New("it is not a regular file")
	}
	if mode := stat.Mode().Perm(); posix && mode&notOwner != 0 {
		return keyringFile{}, fmt.Errorf("its mode is %#o, but only its owner may have access to it (chmod 600)", mode)
	}
	content, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return keyringFile{}, withoutPath(err)
	}
	var file keyringFile
	// The decoder's own errors may quote what they stumbled on.
	if err := json.Unmarshal(content, &file); err != nil {
		return keyringFile{}, errors.New("it is malformed: not the JSON of a server secret file")
	}
	return file, nil
}

// change rewrites the file while no other process does. Readers see the old
// file or the new one.
func change(path string, edit func(*keyringFile) error) error {
	lock := path + ".lock"
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("another process is changing it (if none is, remove %s)", lock)
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close(); _ = os.Remove(lock) }()

	file, err := readFile(path)
	if err != nil {
		return err
	}
	if err := edit(&file); err != nil {
		return err
	}
	// What could not be loaded again must not replace what can.
	if _, err := newKeyring(file); err != nil {
		return err
	}
	return writeFile(path, file, os.Rename)
}

// linkNew gives the finished file its name unless the name is taken; then
// another process was first, and its file counts.
func linkNew(finished, path string) error {
	if err := os.Link(finished, path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeFile writes a complete file under another name in the same folder,
// brings it to the disk, and only then lets place put it where it belongs. The
// folder is synced too: a credential issued under a secret that a power cut
// takes away would be lost.
func writeFile(path string, file keyringFile, place func(finished, path string) error) error {
	content, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return withoutPath(err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, writeErr := io.Copy(f, bytes.NewReader(append(content, '\n')))
	if err := errors.Join(writeErr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	if !posix {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func fileError(path string, err error) error {
	return fmt.Errorf("server secret file %s: %w", path, err)
}

// withoutPath leaves out the name that fileError puts before every error.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
