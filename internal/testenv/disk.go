package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small disk of a test's own, which it may fill. A call that fails ends the test.
type Disk struct {
	tb   testing.TB
	path string
}

// SmallDisk makes a disk of so many bytes, in memory, and takes it away with the test. That needs the right to mount: of
// root, or as [MainWithDisks] gets it. Without it the test fails and says so.
func SmallDisk(tb testing.TB, bytes int) *Disk {
	tb.Helper()
	folder, err := newFolder()
	if err != nil {
		tb.Fatal(err)
	}
	d := &Disk{tb: tb, path: filepath.Join(folder.path, diskName)}
	tb.Cleanup(func() {
		if err := errors.Join(unmount(d.path), folder.remove()); err != nil {
			tb.Error(err)
		}
	})
	if err := errors.Join(os.Chmod(folder.path, 0o755), os.Mkdir(d.path, 0o755), mount(d.path, bytes)); err != nil {
		tb.Fatalf("the test fills a disk of its own, which it may not mount here: run it as root, or where user namespaces are allowed (%v)", err)
	}
	return d
}

// diskName is that of a disk in its folder.
const diskName = "disk"

// Path is the folder in which the disk is.
func (d *Disk) Path() string { return d.path }

// Fill takes all room that is left.
func (d *Disk) Fill() {
	d.tb.Helper()
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	for size := 1 << 20; size > 0; size >>= 1 { // in ever smaller pieces
		for err == nil {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			d.tb.Fatal(errors.Join(err, file.Close()))
		}
		err = nil
	}
	if err := file.Close(); err != nil {
		d.tb.Fatal(err)
	}
}

// Free gives back what Fill took.
func (d *Disk) Free() {
	d.tb.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.tb.Fatal(fmt.Errorf("make room on the disk: %w", err))
	}
}

func (d *Disk) filler() string { return filepath.Join(d.path, "filler") }
