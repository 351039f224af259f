package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

const (
	isElsewhere = "KEYWRIGHT_TEST_MOUNTS" // is set where the tests have namespaces of their own
	capSysAdmin = 21                      // the right to mount, among others
)

// MainWithDisks is [Main] for tests that call [SmallDisk]. Who is not root runs them in namespaces of their own, in which
// they may mount, with the same account.
func MainWithDisks(m *testing.M) {
	if os.Geteuid() != 0 && os.Getenv(isElsewhere) == "" {
		code, err := elsewhere()
		if err == nil {
			os.Exit(code)
		}
		fmt.Fprintln(os.Stderr, "testenv: no namespaces:", err) // SmallDisk says what that means
	}
	Main(m)
}

// elsewhere runs this process again. An error says that it could not be started.
func elsewhere() (code int, err error) {
	path, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := exec.Command(path, os.Args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), isElsewhere+"=yes")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{capSysAdmin},
		Pdeathsig:   syscall.SIGKILL,
	}
	runtime.LockOSThread() // the kernel sends the death signal when the thread that forked the process ends
	defer runtime.UnlockOSThread()
	if err := command.Start(); err != nil {
		return 0, err
	}
	_ = command.Wait() // how it ended is what its exit code says
	return command.ProcessState.ExitCode(), nil
}

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
