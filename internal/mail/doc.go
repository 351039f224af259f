// Package mail writes notifications from templates, and sends them: by SMTP, or into a folder where there is no mail
// server. It is the only user of the mail library.
package mail
