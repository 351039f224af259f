package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/keywright/keywright/graph/internal/gen"
	"github.com/keywright/keywright/graph/object"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// mutationResolver unpacks the input of a mutation, calls its use case and wraps the result.
// What the caller can correct is in the payload's userErrors; anything else is an error.
type mutationResolver struct{ *Resolver }

var _ gen.MutationResolver = mutationResolver{}

// optional returns the value of an argument, null when it is absent or null.
func optional[T any](o graphql.Omittable[*T]) *T { return o.Value() }

// or returns the value of an argument, or a default when it is absent or null.
func or[T any](o graphql.Omittable[*T], standard T) T {
	if p := o.Value(); p != nil {
		return *p
	}
	return standard
}

// idOr returns an optional id in the type of what it names.
func idOr[ID ~string](o graphql.Omittable[*string]) *ID {
	p := o.Value()
	if p == nil {
		return nil
	}
	id := ID(*p)
	return &id
}

// ids gives ids the type of what they name; null stays null.
func ids[ID ~string](all []string) []ID {
	if all == nil {
		return nil
	}
	typed := make([]ID, len(all))
	for i, id := range all {
		typed[i] = ID(id)
	}
	return typed
}

// patch is a member of an update that null leaves as it is.
func patch[T any](o graphql.Omittable[*T]) manage.Patch[T] {
	if p := o.Value(); p != nil {
		return manage.SetTo(*p)
	}
	return manage.Patch[T]{}
}

// patchList is a list of an update; null means absent.
func patchList[T any](o graphql.Omittable[[]T]) manage.Patch[[]T] {
	if all := o.Value(); all != nil {
		return manage.SetTo(all)
	}
	return manage.Patch[[]T]{}
}

// patchNull is a member of an update that null clears.
func patchNull[T any](o graphql.Omittable[*T]) manage.Patch[*T] {
	return manage.Patch[*T]{IsSet: o.IsSet(), Value: o.Value()}
}

// patchID is an id of an update that null clears.
func patchID[ID ~string](o graphql.Omittable[*string]) manage.Patch[*ID] {
	return manage.Patch[*ID]{IsSet: o.IsSet(), Value: idOr[ID](o)}
}

func labels(in []gen.LabelInput) []lifecycle.Label {
	all := make([]lifecycle.Label, len(in))
	for i, l := range in {
		all[i] = lifecycle.Label(l)
	}
	return all
}

func patchLabels(o graphql.Omittable[[]gen.LabelInput]) manage.Patch[[]lifecycle.Label] {
	if o.Value() == nil {
		return manage.Patch[[]lifecycle.Label]{}
	}
	return manage.SetTo(labels(o.Value()))
}

func oauthClient(o graphql.Omittable[*gen.OAuthClientSettingsInput]) *lifecycle.OAuthClient {
	in := o.Value()
	if in == nil {
		return nil
	}
	return &lifecycle.OAuthClient{
		ClientType: or(in.ClientType, lifecycle.ClientNone), RedirectURIs: list(in.RedirectUris), Scopes: list(in.Scopes),
	}
}

// list returns a list argument; absent and null are the empty list.
func list[T any](o graphql.Omittable[[]T]) []T {
	if all := o.Value(); all != nil {
		return all
	}
	return []T{}
}

// credentials shows the secret values of a result. Their time may be over when a call is
// repeated much later; then there is nothing to show.
func credentials(c *manage.Credentials) object.Credentials {
	if c == nil || c.Secret.Reveal() == "" {
		return nil
	}
	switch c.AuthenticationType {
	case lifecycle.AuthenticationAPIKey:
		return &gen.APIKeyCredentials{APIKey: c.Secret.Reveal()}
	case lifecycle.AuthenticationBasic:
		return &gen.BasicCredentials{Username: c.PublicIdentifier, Password: c.Secret.Reveal()}
	case lifecycle.AuthenticationOAuth2Client:
		return &gen.OAuthClientCredentials{ClientID: c.PublicIdentifier, ClientSecret: c.Secret.Reveal()}
	}
	return nil
}
