package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

//go:embed templates/*
var builtIn embed.FS

// Suffixes of the three templates of a kind. Its name comes before, in lower case with hyphens.
const (
	suffixSubject = ".subject.txt"
	suffixText    = ".txt"
	suffixHTML    = ".html"
)

// layouts are used by the templates of all kinds.
var layouts = []string{"layout" + suffixText, "layout" + suffixHTML}

// Templates are the texts of all mails.
type Templates struct {
	subjects map[lifecycle.NotificationKind]*texttemplate.Template
	texts    map[lifecycle.NotificationKind]*texttemplate.Template
	htmls    map[lifecycle.NotificationKind]*template.Template
	portal   string
}

// LoadTemplates reads the built-in templates, and in the place of each the file of its name in a folder, if there is one.
// An empty folder name means none. Each is tried with sample data: one that makes no sense is refused with its file and
// line. portal is the URL that mails link to, where {id} stands for the id of the object; empty: they do not link.
func LoadTemplates(folder, portal string) (*Templates, error) {
	t := &Templates{
		subjects: make(map[lifecycle.NotificationKind]*texttemplate.Template), texts: make(map[lifecycle.NotificationKind]*texttemplate.Template),
		htmls: make(map[lifecycle.NotificationKind]*template.Template), portal: portal,
	}
	if err := checkFolder(folder); err != nil {
		return nil, err
	}
	for _, kind := range lifecycle.AllNotificationKind() {
		name := fileName(kind)
		var err error
		if t.subjects[kind], err = t.parseText(folder, name+suffixSubject); err != nil {
			return nil, err
		}
		if t.texts[kind], err = t.parseText(folder, layouts[0], name+suffixText); err != nil {
			return nil, err
		}
		if t.htmls[kind], err = t.parseHTML(folder, layouts[1], name+suffixHTML); err != nil {
			return nil, err
		}
		for _, isMany := range []bool{false, true} {
			content := Sample(kind, isMany)
			if _, err := t.Subject(kind, content); err != nil {
				return nil, err
			}
			if _, _, err := t.Body(kind, content); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// fileName is what the names of a kind's templates begin with.
func fileName(kind lifecycle.NotificationKind) string {
	return strings.ReplaceAll(strings.ToLower(string(kind)), "_", "-")
}

// checkFolder refuses a folder with templates that nothing would use: a name is misspelt.
func checkFolder(folder string) error {
	if folder == "" {
		return nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("mail-templates: %w", err)
	}
	known := slices.Clone(layouts)
	for _, kind := range lifecycle.AllNotificationKind() {
		known = append(known, fileName(kind)+suffixSubject, fileName(kind)+suffixText, fileName(kind)+suffixHTML)
	}
	slices.Sort(known)
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(known, e.Name()) {
			return fmt.Errorf("mail-templates: %s is no template's name; names are %s", filepath.Join(folder, e.Name()), strings.Join(known, ", "))
		}
	}
	return nil
}

// read returns a template's text, and where it is from.
func read(folder, name string) (text, path string, err error) {
	if folder != "" {
		path = filepath.Join(folder, name)
		own, err := os.ReadFile(path)
		if err == nil {
			return string(own), path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", path, fmt.Errorf("mail-templates: %w", err)
		}
	}
	own, err := builtIn.ReadFile("templates/" + name)
	return string(own), name, err
}

// parseText parses files of which the last is executed.
func (t *Templates) parseText(folder string, names ...string) (*texttemplate.Template, error) {
	var last *texttemplate.Template
	for _, name := range names {
		text, path, err := read(folder, name)
		if err != nil {
			return nil, err
		}
		if last == nil {
			last = texttemplate.New(path).Funcs(texttemplate.FuncMap(t.functions()))
		} else {
			last = last.New(path)
		}
		if _, err := last.Parse(text); err != nil {
			return nil, fmt.Errorf("mail-templates: %w", err)
		}
	}
	return last, nil
}

func (t *Templates) parseHTML(folder string, names ...string) (*template.Template, error) {
	var last *template.Template
	for _, name := range names {
		text, path, err := read(folder, name)
		if err != nil {
			return nil, err
		}
		if last == nil {
			last = template.New(path).Funcs(template.FuncMap(t.functions()))
		} else {
			last = last.New(path)
		}
		if _, err := last.Parse(text); err != nil {
			return nil, fmt.Errorf("mail-templates: %w", err)
		}
	}
	return last, nil
}

// view is what templates see.
type view struct {
	lifecycle.NotificationContent
	zone *time.Location
}

// First is the first item, for mails that are about one.
func (v view) First() lifecycle.NotificationItem {
	if len(v.Items) == 0 {
		return lifecycle.NotificationItem{}
	}
	return v.Items[0]
}

// IsMany reports whether the mail is about more than one item.
func (v view) IsMany() bool { return v.Total() > 1 }

// IsClaimable reports whether new credentials wait for the reader.
func (v view) IsClaimable() bool {
	return slices.ContainsFunc(v.Items, func(item lifecycle.NotificationItem) bool { return item.ClaimableUntil != nil })
}

// Date is an instant in the zone of the tenant, in a form that no language reads in another way.
func (v view) Date(at *time.Time) string {
	if at == nil {
		return "never"
	}
	local := at.In(v.zone)
	return local.Format("2006-01-02 15:04 ") + v.zone.String() + local.Format(" (-07:00)")
}

// fact is something about an item, with its name.
type fact struct{ Name, Value string }

// Facts lists what is known about an item, in the order of its importance.
func (v view) Facts(item lifecycle.NotificationItem) []fact {
	var all []fact
	add := func(name, value string) {
		if value != "" {
			all = append(all, fact{name, value})
		}
	}
	date := func(name string, at *time.Time) {
		if at != nil {
			add(name, v.Date(at))
		}
	}
	add("Key set", item.KeySet)
	add("API", item.API)
	add("Application", item.Application)
	add("Environment", item.Environment)
	add("Public identifier", item.PublicIdentifier)
	add("Asked by", item.Requester)
	add("Decided by", item.Decider)
	add("Comment", item.Comment)
	add("Reason", item.Reason)
	add("Gateways", strings.Join(item.Gateways, ", "))
	date("Valid until", item.ExpiresAt)
	date("Replaced on", item.RotatesAt)
	date("Claim until", item.ClaimableUntil)
	date("Decide until", item.DecidableUntil)
	add("ID", item.SubjectID)
	return all
}

// asked says in words what somebody asked for.
func asked(action lifecycle.ApprovalAction) string {
	switch action {
	case lifecycle.ApprovalToRegenerate:
		return "regenerate a key set"
	case lifecycle.ApprovalToRenew:
		return "renew a key set"
	case lifecycle.ApprovalToRevoke:
		return "revoke a key set"
	case lifecycle.ApprovalToSubscribe:
		return "subscribe to an API"
	}
	return string(action)
}

// outcome says in words what came of a request that was approved.
func outcome(item lifecycle.NotificationItem) string {
	switch item.Action {
	case lifecycle.ApprovalToRegenerate:
		return "The key set has a new key."
	case lifecycle.ApprovalToRenew:
		if item.HasNewKey {
			return "The key set has a new key with new validity."
		}
		return "The key stays the same and is valid for longer."
	case lifecycle.ApprovalToRevoke:
		return "The key set is revoked for good: calls with its keys are refused."
	case lifecycle.ApprovalToSubscribe:
		return "The application is subscribed now."
	}
	return "What you asked for was done."
}

func (t *Templates) functions() map[string]any {
	return map[string]any{
		"asked":   asked,
		"outcome": outcome,
		"link": func(id string) string {
			return strings.ReplaceAll(t.portal, "{id}", id)
		},
	}
}

func viewOf(content lifecycle.NotificationContent) view {
	zone, err := time.LoadLocation(content.Zone)
	if err != nil {
		zone = time.UTC
	}
	content.Tenant, content.Items = oneLine(content.Tenant), slices.Clone(content.Items)
	for i := range content.Items {
		item := &content.Items[i]
		for _, text := range []*string{
			&item.KeySet, &item.PublicIdentifier, &item.Application, &item.Environment, &item.API, &item.Requester, &item.Decider, &item.Comment, &item.Reason,
		} {
			*text = oneLine(*text) // a line of a comment must not look like something that the mail says
		}
	}
	return view{NotificationContent: content, zone: zone}
}

// Subject is the subject of a notification on one line.
func (t *Templates) Subject(kind lifecycle.NotificationKind, content lifecycle.NotificationContent) (string, error) {
	text, err := execute(t.subjects[kind], content)
	return oneLine(text), err
}

// Body is the text and the HTML of a notification.
func (t *Templates) Body(kind lifecycle.NotificationKind, content lifecycle.NotificationContent) (text, html string, err error) {
	if text, err = execute(t.texts[kind], content); err != nil {
		return "", "", err
	}
	html, err = execute(t.htmls[kind], content)
	return strings.TrimSpace(text) + "\n", strings.TrimSpace(html) + "\n", err
}

func execute(t interface{ Execute(io.Writer, any) error }, content lifecycle.NotificationContent) (string, error) {
	var out bytes.Buffer
	if err := t.Execute(&out, viewOf(content)); err != nil {
		return "", fmt.Errorf("mail-templates: %w", err)
	}
	return out.String(), nil
}

// oneLine makes a header of a text: names in it may hold line breaks, which would end the header.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' }), " ")
}
