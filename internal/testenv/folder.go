package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	folderPattern = "keywright-test-"
	lockName      = "lock"
	// sweepAge protects a folder between its creation and the moment it is locked.
	sweepAge = time.Minute
)

// folder is a temporary directory that is known to be abandoned once nobody holds its lock.
type folder struct {
	path string
	lock *os.File
}

// newFolder creates a locked folder and first removes what killed processes left behind.
func newFolder() (*folder, error) {
	sweep(os.TempDir())
	path, err := os.MkdirTemp("", folderPattern)
	if err != nil {
		return nil, fmt.Errorf("create a folder for a test server: %w", err)
	}
	lock, err := os.Create(filepath.Join(path, lockName))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a folder for a test server: %w", err), os.RemoveAll(path))
	}
	f := &folder{path: path, lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of a test server: %w", err), f.remove())
	}
	return f, nil
}

func (f *folder) remove() error {
	return errors.Join(os.RemoveAll(f.path), f.lock.Close())
}

// sweep removes folders whose owner is gone. It is a courtesy: what cannot be removed now is left for another time.
func sweep(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, folderPattern+"*"))
	for _, path := range paths {
		info, err := os.Stat(filepath.Join(path, lockName))
		if err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		lock, err := os.Open(filepath.Join(path, lockName))
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = unmount(filepath.Join(path, diskName))
			_ = os.RemoveAll(path)
		}
		_ = lock.Close()
	}
}

// Ports are drawn from below the range that systems hand out to outgoing connections, so that a server which is
// stopped and started again finds its port free.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 20
)

// onFreePort calls start with ports that look free until it no longer loses the race for one.
func onFreePort(start func(port int) (*process, error)) (int, *process, error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		_ = listener.Close()
		p, err := start(port)
		if errors.Is(err, errPortTaken) {
			continue
		}
		return port, p, err
	}
	return 0, nil, fmt.Errorf("found no free port between %d and %d in %d tries", firstPort, lastPort, portTries)
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// program finds a server's binary on PATH or, as Debian and its relatives hide PostgreSQL's from it, in the
// last of the folders that match the pattern.
func program(name, debianPackage, elsewhere string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob(filepath.Join(elsewhere, name))
	if len(found) == 0 {
		return "", fmt.Errorf("the tests need a real %s and there is none on PATH: install it (on Debian and Ubuntu: apt-get install %s)", name, debianPackage)
	}
	return found[len(found)-1], nil
}
