package testenv

import (
	"errors"
	"fmt"
	"syscall"
)

func mount(path string, bytes int) error {
	if err := syscall.Mount("keywright-test", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", bytes)); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// unmount also takes away a disk that somebody still uses. Where there is none it does nothing.
func unmount(path string) error {
	err := syscall.Unmount(path, syscall.MNT_DETACH)
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("unmount: %w", err)
	}
	return nil
}
