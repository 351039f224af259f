package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	gomail "github.com/wneessen/go-mail"

	"github.com/keywright/keywright/internal/lifecycle"
)

// ToFolder returns a post that writes each mail to a file in a folder instead of sending it.
func ToFolder(templates *Templates, s Sender, path string, logger *slog.Logger) (*Post, error) {
	return newPost(templates, s, &folder{path: path, logger: logger})
}

// folder keeps mails as files that mail programs open.
type folder struct {
	path   string
	logger *slog.Logger
}

// send writes the file whole or not at all. Written again it is the same file.
func (f *folder) send(_ context.Context, id lifecycle.NotificationID, message *gomail.Msg, tell tell) error {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return fmt.Errorf("folder of mails: %w", err)
	}
	file, err := os.CreateTemp(f.path, ".new-*")
	if err != nil {
		return fmt.Errorf("write a mail: %w", err)
	}
	_, err = message.WriteTo(file)
	path := filepath.Join(f.path, string(id)+".eml")
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write a mail: %w", errors.Join(err, os.Remove(file.Name())))
	}
	f.logger.Info("a mail was written to a file", "file", path)
	tell.say("no mail server is set (smtp-host), so mails are files: wrote %s", path)
	return nil
}
