package graph

import (
	"regexp"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// secretLike is a run of characters as long as the secret part of a credential. Ids and names of the schema have none.
var secretLike = regexp.MustCompile(`[0-9A-Za-z]{32,}`)

const redacted = "[redacted]"

// redact takes out of an error what may be a secret: parser and validator quote what they cannot use, such as a key
// whose quotation marks were forgotten (P7).
func redact(shown *gqlerror.Error) {
	shown.Message = secretLike.ReplaceAllString(shown.Message, redacted)
	if names, ok := shown.Extensions["argumentPath"].([]string); ok {
		clean := make([]string, len(names))
		for i, name := range names {
			clean[i] = secretLike.ReplaceAllString(name, redacted)
		}
		shown.Extensions["argumentPath"] = clean
	}
	// Any other path has to match the data of the response.
	if len(shown.Path) == 0 || shown.Path[0] != ast.PathName("variable") {
		return
	}
	clean := make(ast.Path, len(shown.Path))
	for i, element := range shown.Path {
		if name, ok := element.(ast.PathName); ok {
			element = ast.PathName(secretLike.ReplaceAllString(string(name), redacted))
		}
		clean[i] = element
	}
	shown.Path = clean
}
