package manage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keywright/keywright/internal/access"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// Service runs the use cases.
type Service struct {
	store     Store
	keyring   *secret.Keyring
	ids       lifecycle.IDs
	committed func(ctx context.Context, position int64)
	post      Post
}

// Config is what a Service works with.
type Config struct {
	Store   Store
	Keyring *secret.Keyring
	Now     func() time.Time // the clock; the service cuts it to what the databases keep
	Rand    io.Reader        // source of secrets and ids
	// Committed is told the log position of each committed change, before the caller gets its
	// answer. It must not fail and may wait for a moment, until the change is in effect.
	Committed func(ctx context.Context, position int64)
	Post      Post // null: nobody is ever notified
}

// New returns a service.
func New(c Config) *Service {
	now := func() time.Time { return lifecycle.Instant(c.Now()) }
	return &Service{store: c.Store, keyring: c.Keyring, ids: lifecycle.IDs{Now: now, Rand: c.Rand}, committed: c.Committed, post: c.Post}
}

// Call is one call of a use case: who asks, from where, and whether it may be a retry.
type Call struct {
	By            access.Principal
	CorrelationID string // shared by all events of the operation
	IPAddress     string // empty: not known
	Comment       string // reason that the caller gave, for the log
	Idempotency   *Idempotency
}

// Idempotency makes a call safe to retry.
type Idempotency struct {
	Key       string // chosen by the client, 1 to 255 characters
	Operation string // name of the mutation
	Arguments []byte // canonical form of the arguments
}

// secretsKept is how long a retried call still gets the secrets of its first result.
const secretsKept = 15 * time.Minute

// work is one transaction of a use case.
type work struct {
	Tx
	*Service
	call   Call
	tenant lifecycle.Tenant
	moment lifecycle.Moment
	// applications are those that a bulk operation has loaded for all of its items, policies those that were needed.
	applications map[lifecycle.ApplicationID]lifecycle.Application
	policies     map[lifecycle.PolicyID]lifecycle.Policy
}

// change runs a use case in one transaction of the caller's tenant. fn may run more than once.
func change[T any](ctx context.Context, s *Service, call Call, fn func(ctx context.Context, w *work) (T, error)) (T, error) {
	return changeIn(ctx, s, call, call.By.TenantID, fn)
}

// changeIn runs a use case in one transaction of a tenant that need not be the caller's.
func changeIn[T any](ctx context.Context, s *Service, call Call, tenant lifecycle.TenantID, fn func(ctx context.Context, w *work) (T, error)) (T, error) {
	var result, none T
	if err := lifecycle.CheckText(call.Comment, lifecycle.MaxCommentLength, "input", "comment"); err != nil {
		return none, err
	}
	position, err := s.store.Write(ctx, func(ctx context.Context, tx Tx) error {
		// Inside, because the turn to write may have to be waited for: a suspension counts from its commit on.
		tenants, err := get[lifecycle.Tenant](ctx, s.store, tenant, tenant)
		if err != nil {
			return err
		}
		if len(tenants) == 0 {
			return lifecycle.NotFound("tenant", "input", "id")
		}
		w := &work{Tx: tx, Service: s, call: call, tenant: tenants[0], policies: map[lifecycle.PolicyID]lifecycle.Policy{}}
		w.moment = lifecycle.Moment{Now: s.ids.Now(), Zone: w.tenant.Zone(), Ladder: w.tenant.Settings.NoticeLadder, NewID: s.ids.New}
		result, err = once(ctx, w, fn)
		return err
	})
	if err != nil {
		return none, refusalOf(err)
	}
	if position > 0 {
		s.committed(ctx, position)
	}
	return result, nil
}

// active refuses changes in a suspended tenant, which is read-only.
func (w *work) active() error {
	if w.tenant.Status == lifecycle.TenantActive {
		return nil
	}
	return &lifecycle.Refusal{
		Code: lifecycle.CodeInvalidStatusTransition, Message: "the tenant is suspended: nothing in it can be changed",
		CurrentStatus: string(w.tenant.Status), AllowedActions: []lifecycle.KeySetAction{},
	}
}

// secretive is a result that carries secrets. The texts stay in one order.
type secretive interface{ secretTexts() []*secret.Text }

// once runs fn, or returns what it ended with before under the same idempotency key.
func once[T any](ctx context.Context, w *work, fn func(ctx context.Context, w *work) (T, error)) (T, error) {
	var result T
	if w.call.Idempotency == nil {
		return fn(ctx, w)
	}
	claim, err := w.claim()
	if err != nil {
		return result, err
	}
	earlier, err := w.BeginIdempotent(ctx, claim)
	if err != nil {
		return result, fmt.Errorf("claim idempotency key: %w", err)
	}
	if earlier != nil {
		return replay[T](w, claim, *earlier)
	}
	if result, err = fn(ctx, w); err != nil {
		return result, err
	}
	finished := Finished{Fingerprint: claim.Fingerprint, SecretsEnd: claim.At.Add(secretsKept)}
	if finished.Result, err = json.Marshal(result); err != nil {
		return result, fmt.Errorf("keep result: %w", err)
	}
	if finished.Secrets, err = w.sealResult(claim, result); err != nil {
		return result, err
	}
	if err = w.FinishIdempotent(ctx, claim, finished); err != nil {
		return result, fmt.Errorf("keep result: %w", err)
	}
	return result, nil
}

func (w *work) claim() (Claim, error) {
	i := w.call.Idempotency
	if err := lifecycle.CheckText(i.Key, 255, "@idempotent", "key"); err != nil || i.Key == "" {
		return Claim{}, lifecycle.Invalid("an idempotency key has 1 to 255 characters", "@idempotent", "key")
	}
	sum := sha256.Sum256(i.Arguments)
	return Claim{
		TenantID: w.call.By.TenantID, ActorID: string(w.call.By.UserID), Operation: i.Operation, Key: i.Key,
		Fingerprint: sum[:], At: w.moment.Now, ExpiresAt: w.tenant.Settings.IdempotencyRetention.AddTo(w.moment.Now, w.moment.Zone),
	}, nil
}

func replay[T any](w *work, claim Claim, earlier Finished) (T, error) {
	var result T
	if string(earlier.Fingerprint) != string(claim.Fingerprint) {
		return result, &lifecycle.Refusal{
			Code: lifecycle.CodeIdempotencyKeyReused, Path: []string{"@idempotent", "key"},
			Message: "this idempotency key was used before with other arguments",
		}
	}
	if err := json.Unmarshal(earlier.Result, &result); err != nil {
		return result, fmt.Errorf("read kept result: %w", err)
	}
	holder, ok := any(result).(secretive)
	if !ok || len(earlier.Secrets) == 0 || !w.moment.Now.Before(earlier.SecretsEnd) {
		return result, nil
	}
	var sealed Sealed
	if err := json.Unmarshal(earlier.Secrets, &sealed); err != nil {
		return result, fmt.Errorf("read kept secrets: %w", err)
	}
	plain, err := w.open(sealed, claim.context())
	if err != nil {
		return result, err
	}
	var values []string
	if err := json.Unmarshal([]byte(plain.Reveal()), &values); err != nil {
		return result, errors.New("read kept secrets: malformed") // the cause could quote the secret
	}
	for i, text := range holder.secretTexts() {
		if i < len(values) {
			*text = secret.NewText(values[i])
		}
	}
	return result, nil
}

// context binds kept secrets to the operation they belong to.
func (c Claim) context() []byte {
	return []byte("idempotency\x00" + string(c.TenantID) + "\x00" + c.ActorID + "\x00" + c.Operation + "\x00" + c.Key)
}

func (w *work) sealResult(claim Claim, result any) ([]byte, error) {
	holder, ok := result.(secretive)
	if !ok || len(holder.secretTexts()) == 0 {
		return nil, nil
	}
	values := []string{}
	for _, text := range holder.secretTexts() {
		values = append(values, text.Reveal())
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return nil, errors.New("keep secrets: cannot be written")
	}
	sealed, err := w.seal(secret.NewText(string(plain)), claim.context())
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealed)
}

func (s *Service) seal(text secret.Text, context []byte) (Sealed, error) {
	sealed, err := s.keyring.Seal(text, context)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	return Sealed{SecretVersion: sealed.KEKVersion, WrappedDataKey: sealed.WrappedDataKey, Ciphertext: sealed.Ciphertext}, nil
}

func (s *Service) open(sealed Sealed, context []byte) (secret.Text, error) {
	text, err := s.keyring.Open(secret.Sealed{
		KEKVersion: sealed.SecretVersion, WrappedDataKey: sealed.WrappedDataKey, Ciphertext: sealed.Ciphertext,
	}, context)
	if err != nil {
		return secret.Text{}, fmt.Errorf("open sealed value: %w", err)
	}
	return text, nil
}

// record adds an event of the tenant to the log, with who, when and why.
func (w *work) record(e lifecycle.Event) lifecycle.EventID {
	e.ID = lifecycle.EventID(w.moment.NewID(lifecycle.KindEvent))
	e.TenantID, e.OccurredAt, e.Actor = w.tenant.ID, w.moment.Now, w.call.By.Actor()
	e.CorrelationID = w.call.CorrelationID
	if w.call.Comment != "" {
		e.Comment = &w.call.Comment
	}
	if w.call.IPAddress != "" {
		e.IPAddress = &w.call.IPAddress
	}
	w.Record(e)
	return e.ID
}

// happened records an event about an object that is no key set.
func (w *work) happened(t lifecycle.EventType, id, summary string, changes []lifecycle.Change) {
	w.record(lifecycle.Event{Type: t, SubjectID: id, Summary: summary, Changes: changes})
}

// get loads committed rows by their ids, in no particular order.
func get[T any, ID ~string](ctx context.Context, r Reader, tenant lifecycle.TenantID, ids ...ID) ([]T, error) {
	var rows []T
	possible := wellFormed(ids)
	if len(possible) == 0 {
		return rows, nil
	}
	if err := r.Get(ctx, tenant, &rows, possible); err != nil {
		return nil, fmt.Errorf("load %T: %w", rows, err)
	}
	return rows, nil
}

// getOne loads one committed row; a missing one is refused by its noun and path.
func getOne[T any, ID ~string](ctx context.Context, r Reader, tenant lifecycle.TenantID, id ID, noun string, path ...string) (T, error) {
	rows, err := get[T](ctx, r, tenant, id)
	if err != nil || len(rows) == 0 {
		var none T
		return none, orNotFound(err, noun, path)
	}
	return rows[0], nil
}

// lock loads one row and locks it until the transaction ends.
func lock[T any, ID ~string](ctx context.Context, w *work, id ID, noun string, path ...string) (T, error) {
	var rows []T
	if err := w.Lock(ctx, w.tenant.ID, &rows, wellFormed([]ID{id})); err != nil || len(rows) == 0 {
		var none T
		return none, orNotFound(err, noun, path)
	}
	return rows[0], nil
}

func orNotFound(err error, noun string, path []string) error {
	if err == nil || errors.Is(err, ErrNotFound) {
		return lifecycle.NotFound(noun, path...)
	}
	return err
}

// fresh refuses a change of an object that changed since it was read.
func fresh[ID ~string](expected *int, version int, id ID) error {
	if expected != nil && *expected != version {
		return lifecycle.Stale(string(id), version)
	}
	return nil
}

func texts[ID ~string](ids []ID) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return all
}

// Patch is a member of an update: absent, or set, to null too where T is a pointer.
type Patch[T any] struct {
	IsSet bool
	Value T
}

// SetTo is a patch that sets the value.
func SetTo[T any](value T) Patch[T] { return Patch[T]{IsSet: true, Value: value} }

// text shows an optional text in a recorded change.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}
