package lifecycle_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

func goodFacts() lifecycle.Facts {
	return lifecycle.Facts{
		TenantStatus: lifecycle.TenantActive, ApplicationStatus: lifecycle.ApplicationActive, KeySetStatus: lifecycle.KeySetActive,
		KeyStatus: lifecycle.KeyActive, Authentication: lifecycle.AuthenticationAPIKey, EnvironmentSlug: "prod", AuthorizedAPIs: []lifecycle.APIID{"api_1", "api_2"},
	}
}

func TestJudge_ByWhatStandsInTheWay(t *testing.T) {
	type facts = lifecycle.Facts
	within := func(f *facts) {
		f.Limits = &lifecycle.Limits{AllowedNetworks: networks(t, "192.0.2.0/24", "2001:db8::/32")}
	}
	scoped := func(f *facts) { f.Scopes = []string{"read", "write"} }
	from := func(ip string) lifecycle.Presented { return lifecycle.Presented{IPAddress: netip.MustParseAddr(ip)} }
	before, after := ptr(start.Add(-time.Microsecond)), ptr(start.Add(time.Microsecond))
	for name, c := range map[string]struct {
		change    func(*facts)
		presented lifecycle.Presented
		want      lifecycle.VerdictCode
	}{
		"good":                    {func(*facts) {}, lifecycle.Presented{}, lifecycle.VerdictValid},
		"good, for API and place": {func(*facts) {}, lifecycle.Presented{APIID: "api_2", EnvironmentSlug: "prod"}, lifecycle.VerdictValid},
		"retiring":                {func(f *facts) { f.KeyStatus, f.RetiresAt = lifecycle.KeyRetiring, after }, lifecycle.Presented{}, lifecycle.VerdictValid},
		"retiring, set expired": {func(f *facts) {
			f.KeyStatus, f.RetiresAt, f.KeySetStatus = lifecycle.KeyRetiring, after, lifecycle.KeySetExpired
		}, lifecycle.Presented{}, lifecycle.VerdictValid},
		"retired just now":     {func(f *facts) { f.KeyStatus, f.RetiresAt = lifecycle.KeyRetiring, &start }, lifecycle.Presented{}, lifecycle.VerdictRevoked},
		"retiring and expired": {func(f *facts) { f.KeyStatus, f.RetiresAt, f.ExpiresAt = lifecycle.KeyRetiring, after, before }, lifecycle.Presented{}, lifecycle.VerdictExpired},
		"expires soon":         {func(f *facts) { f.ExpiresAt = after }, lifecycle.Presented{}, lifecycle.VerdictValid},
		"T13 expired just now": {func(f *facts) { f.ExpiresAt = &start }, lifecycle.Presented{}, lifecycle.VerdictExpired},
		"suspended and expired": {func(f *facts) {
			f.KeyStatus, f.KeySetStatus, f.ExpiresAt = lifecycle.KeySuspended, lifecycle.KeySetSuspended, before
		}, lifecycle.Presented{}, lifecycle.VerdictExpired},
		"key revoked":         {func(f *facts) { f.KeyStatus = lifecycle.KeyRevoked }, lifecycle.Presented{}, lifecycle.VerdictRevoked},
		"set revoked":         {func(f *facts) { f.KeySetStatus = lifecycle.KeySetRevoked }, lifecycle.Presented{}, lifecycle.VerdictRevoked},
		"revoked and expired": {func(f *facts) { f.KeyStatus, f.ExpiresAt = lifecycle.KeyRevoked, before }, lifecycle.Presented{}, lifecycle.VerdictRevoked},
		"key expired":         {func(f *facts) { f.KeyStatus = lifecycle.KeyExpired }, lifecycle.Presented{}, lifecycle.VerdictExpired},
		"set expired":         {func(f *facts) { f.KeySetStatus = lifecycle.KeySetExpired }, lifecycle.Presented{}, lifecycle.VerdictExpired},
		"key pending":         {func(f *facts) { f.KeyStatus = lifecycle.KeyPending }, lifecycle.Presented{}, lifecycle.VerdictPending},
		"set pending":         {func(f *facts) { f.KeySetStatus = lifecycle.KeySetPending }, lifecycle.Presented{}, lifecycle.VerdictPending},
		"key suspended":       {func(f *facts) { f.KeyStatus = lifecycle.KeySuspended }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"S0-41 set suspended": {func(f *facts) { f.KeySetStatus = lifecycle.KeySetSuspended }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"retiring, set suspended": {func(f *facts) {
			f.KeyStatus, f.RetiresAt, f.KeySetStatus = lifecycle.KeyRetiring, after, lifecycle.KeySetSuspended
		}, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"T2 application suspended":    {func(f *facts) { f.ApplicationStatus = lifecycle.ApplicationSuspended }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"T2 tenant suspended":         {func(f *facts) { f.TenantStatus = lifecycle.TenantSuspended }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"other environment":           {func(*facts) {}, lifecycle.Presented{EnvironmentSlug: "dev"}, lifecycle.VerdictWrongEnvironment},
		"other API":                   {func(*facts) {}, lifecycle.Presented{APIID: "api_3"}, lifecycle.VerdictForbidden},
		"environment before API":      {func(*facts) {}, lifecycle.Presented{APIID: "api_3", EnvironmentSlug: "dev"}, lifecycle.VerdictWrongEnvironment},
		"suspended before place":      {func(f *facts) { f.KeySetStatus = lifecycle.KeySetSuspended }, lifecycle.Presented{EnvironmentSlug: "dev"}, lifecycle.VerdictSuspended},
		"no API authorized":           {func(f *facts) { f.AuthorizedAPIs = nil }, lifecycle.Presented{APIID: "api_1"}, lifecycle.VerdictForbidden},
		"from anywhere":               {func(f *facts) { f.Limits = &lifecycle.Limits{} }, lifecycle.Presented{}, lifecycle.VerdictValid},
		"from an allowed network":     {within, from("192.0.2.7"), lifecycle.VerdictValid},
		"from IPv4 as IPv6":           {within, from("::ffff:192.0.2.7"), lifecycle.VerdictValid},
		"from an allowed IPv6":        {within, from("2001:db8:ffff::1"), lifecycle.VerdictValid},
		"from an IPv6 with a zone":    {within, from("2001:db8::1%eth0"), lifecycle.VerdictValid},
		"from one address beyond":     {within, from("192.0.3.0"), lifecycle.VerdictNetworkNotAllowed},
		"from another IPv6":           {within, from("2001:db9::1"), lifecycle.VerdictNetworkNotAllowed},
		"from the bits of IPv4":       {within, from("::192.0.2.7"), lifecycle.VerdictNetworkNotAllowed},
		"from nowhere known":          {within, lifecycle.Presented{}, lifecycle.VerdictNetworkNotAllowed},
		"API before network":          {within, lifecycle.Presented{APIID: "api_3"}, lifecycle.VerdictForbidden},
		"network before scope":        {within, lifecycle.Presented{Scopes: []string{"read"}}, lifecycle.VerdictNetworkNotAllowed},
		"no scope needed":             {scoped, lifecycle.Presented{}, lifecycle.VerdictValid},
		"scopes it has":               {scoped, lifecycle.Presented{Scopes: []string{"write", "read"}}, lifecycle.VerdictValid},
		"a scope it has not":          {scoped, lifecycle.Presented{Scopes: []string{"read", "admin"}}, lifecycle.VerdictInsufficientScope},
		"scopes differ in case":       {scoped, lifecycle.Presented{Scopes: []string{"READ"}}, lifecycle.VerdictInsufficientScope},
		"scopes of a token":           {scoped, lifecycle.Presented{Scopes: []string{"read"}, ByToken: true, TokenScopes: []string{"read"}}, lifecycle.VerdictValid},
		"a scope its token has not":   {scoped, lifecycle.Presented{Scopes: []string{"write"}, ByToken: true, TokenScopes: []string{"read"}}, lifecycle.VerdictInsufficientScope},
		"a scope its key has lost":    {scoped, lifecycle.Presented{Scopes: []string{"admin"}, ByToken: true, TokenScopes: []string{"admin"}}, lifecycle.VerdictInsufficientScope},
		"a token without scopes":      {scoped, lifecycle.Presented{Scopes: []string{"read"}, ByToken: true}, lifecycle.VerdictInsufficientScope},
		"a scope, and it has none":    {func(*facts) {}, lifecycle.Presented{Scopes: []string{"read"}}, lifecycle.VerdictInsufficientScope},
		"API key presented as a pair": {func(*facts) {}, lifecycle.Presented{IsPair: true}, lifecycle.VerdictNotFound},
		"pair":                        {func(f *facts) { f.Authentication = lifecycle.AuthenticationBasic }, lifecycle.Presented{IsPair: true}, lifecycle.VerdictValid},
		"half of a pair":              {func(f *facts) { f.Authentication = lifecycle.AuthenticationOAuth2Client }, lifecycle.Presented{}, lifecycle.VerdictNotFound},
		"no status of the key":        {func(f *facts) { f.KeyStatus = "" }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"unknown status of the key":   {func(f *facts) { f.KeyStatus = "WORKS" }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"no status of the set":        {func(f *facts) { f.KeySetStatus = "" }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"no status of the app":        {func(f *facts) { f.ApplicationStatus = "" }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
		"no status of the tenant":     {func(f *facts) { f.TenantStatus = "" }, lifecycle.Presented{}, lifecycle.VerdictSuspended},
	} {
		f := goodFacts()
		c.change(&f)
		v := lifecycle.Judge(&f, c.presented, start)
		if v.Code != c.want || v.IsValid() != (c.want == lifecycle.VerdictValid) {
			t.Errorf("%s: judged %s, want %s", name, v.Code, c.want)
		}
		if (v.Facts == nil) != (c.want == lifecycle.VerdictNotFound) {
			t.Errorf("%s: facts %v go with %s", name, v.Facts, v.Code)
		}
	}
	if v := lifecycle.Unknown(); v.Code != lifecycle.VerdictNotFound || v.Facts != nil || v.IsValid() {
		t.Errorf("unknown is %+v", v)
	}
}

func TestJudge_OnlyActiveAndRetiringKeysOfWorkingKeySetsPass(t *testing.T) {
	for _, key := range lifecycle.AllKeyStatus() {
		for _, set := range lifecycle.AllKeySetStatus() {
			f := goodFacts()
			f.KeyStatus, f.KeySetStatus = key, set
			want := key == lifecycle.KeyActive && set == lifecycle.KeySetActive ||
				key == lifecycle.KeyRetiring && (set == lifecycle.KeySetActive || set == lifecycle.KeySetExpired)
			if v := lifecycle.Judge(&f, lifecycle.Presented{}, start); v.IsValid() != want {
				t.Errorf("key %s in set %s is judged %s", key, set, v.Code)
			}
		}
	}
}

func TestT13_PendingAndEndedKeysKeepTheirStatusHoweverLate(t *testing.T) {
	past := ptr(start.Add(-time.Hour))
	for status, want := range map[lifecycle.KeyStatus]lifecycle.KeyStatus{
		lifecycle.KeyPending: lifecycle.KeyPending, lifecycle.KeyRevoked: lifecycle.KeyRevoked, lifecycle.KeyExpired: lifecycle.KeyExpired,
		lifecycle.KeyActive: lifecycle.KeyExpired, lifecycle.KeySuspended: lifecycle.KeyExpired, lifecycle.KeyRetiring: lifecycle.KeyExpired,
	} {
		if got := (lifecycle.Key{Status: status, ExpiresAt: past}).StatusAt(start); got != want {
			t.Errorf("%s is %s, want %s", status, got, want)
		}
	}
	for status, want := range map[lifecycle.KeySetStatus]lifecycle.KeySetStatus{
		lifecycle.KeySetPending: lifecycle.KeySetPending, lifecycle.KeySetRevoked: lifecycle.KeySetRevoked, lifecycle.KeySetExpired: lifecycle.KeySetExpired,
		lifecycle.KeySetActive: lifecycle.KeySetExpired, lifecycle.KeySetSuspended: lifecycle.KeySetExpired,
	} {
		if got := (lifecycle.KeySet{Status: status, ExpiresAt: past}).StatusAt(start); got != want {
			t.Errorf("%s is %s, want %s", status, got, want)
		}
	}
}

func TestS0_31_ActionsSayWhyNotInOrder(t *testing.T) {
	all := lifecycle.AllPermission()
	available := lifecycle.ActionUnavailableReason("")
	denied, status, isDefault, forbids, lost := lifecycle.UnavailablePermissionDenied, lifecycle.UnavailableStatus, lifecycle.UnavailableDefaultKeySet,
		lifecycle.UnavailablePolicyForbids, lifecycle.UnavailableSecretNotRecoverable
	type reasons = []lifecycle.ActionUnavailableReason // DELETE, REACTIVATE, REGENERATE, RENEW, RETRIEVE, REVOKE, SUSPEND, UPDATE
	for name, c := range map[string]struct {
		status      lifecycle.KeySetStatus
		isDefault   bool
		allows      bool
		recoverable bool
		permissions []lifecycle.Permission
		want        reasons
	}{
		"active":              {lifecycle.KeySetActive, false, true, true, all, reasons{status, status, available, available, available, available, available, available}},
		"suspended":           {lifecycle.KeySetSuspended, false, true, true, all, reasons{status, available, available, available, available, available, status, available}},
		"revoked":             {lifecycle.KeySetRevoked, false, true, true, all, reasons{available, status, status, status, status, status, status, available}},
		"expired":             {lifecycle.KeySetExpired, false, true, true, all, reasons{status, status, status, available, status, status, status, available}},
		"pending":             {lifecycle.KeySetPending, false, true, true, all, reasons{status, status, status, status, status, status, status, available}},
		"default":             {lifecycle.KeySetActive, true, true, true, all, reasons{status, status, available, available, available, available, isDefault, available}},
		"default, revoked":    {lifecycle.KeySetRevoked, true, false, false, all, reasons{isDefault, status, status, status, status, status, status, available}},
		"hashed, fixed":       {lifecycle.KeySetActive, false, false, false, all, reasons{status, status, forbids, available, lost, available, available, available}},
		"nobody":              {lifecycle.KeySetActive, true, false, false, nil, reasons{denied, denied, denied, denied, denied, denied, denied, denied}},
		"who may only write":  {lifecycle.KeySetActive, false, true, true, []lifecycle.Permission{lifecycle.PermissionKeySetWrite}, reasons{denied, denied, available, available, denied, denied, denied, available}},
		"who may revoke":      {lifecycle.KeySetActive, false, true, true, []lifecycle.Permission{lifecycle.PermissionKeySetRevoke}, reasons{status, denied, denied, denied, denied, available, denied, denied}},
		"who may suspend":     {lifecycle.KeySetSuspended, false, true, true, []lifecycle.Permission{lifecycle.PermissionKeySetSuspend}, reasons{denied, available, denied, denied, denied, denied, status, denied}},
		"who may see secrets": {lifecycle.KeySetActive, false, true, true, []lifecycle.Permission{lifecycle.PermissionCredentialsRetrieve}, reasons{denied, denied, denied, denied, available, denied, denied, denied}},
	} {
		t.Run(name, func(t *testing.T) {
			w := inStatus(t, c.status)
			w.policy.Expiration.Validity = ptr(lifecycle.Days(30))
			w.set.IsDefault, w.policy.Rotation.IsManualRegenerationAllowed, w.keys[0].IsRecoverable = c.isDefault, c.allows, c.recoverable
			holds := func(p lifecycle.Permission) bool { return slices.Contains(c.permissions, p) }
			var got reasons
			for i, a := range w.set.Actions(w.latest(), w.policy, lifecycle.Surroundings{}, holds, w.now) {
				if a.Action != lifecycle.AllKeySetAction()[i] || a.IsAvailable != (a.UnavailableReason == nil) {
					t.Errorf("%+v", a)
				}
				why := available
				if a.UnavailableReason != nil {
					why = *a.UnavailableReason
				}
				got = append(got, why)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("reasons %q, want %q", got, c.want)
			}
		})
	}
}

func TestJudge_TellsHowLongAKeyStillWorksWhereThatIsLittle(t *testing.T) {
	day := 24 * time.Hour
	ladder := lifecycle.NoticeLadder{ExpirationNoticeLeadTimes: []lifecycle.Duration{lifecycle.Days(7), duration(t, "P1M"), lifecycle.Days(1)}}
	at := func(left time.Duration) *time.Time { return ptr(start.Add(left)) }
	for name, c := range map[string]struct {
		ladder          lifecycle.NoticeLadder
		expires, ends   *time.Time
		rotates         *time.Time
		key             lifecycle.KeyStatus
		want            time.Duration
		days            int
		isRefusedAnyway bool
	}{
		"never":                          {ladder: ladder},
		"more than the longest lead":     {ladder: ladder, expires: at(31*day + time.Microsecond)},
		"the longest lead":               {ladder: ladder, expires: at(31 * day), want: 31 * day, days: 31},
		"a day and something":            {ladder: ladder, expires: at(2*day - time.Microsecond), want: 2*day - time.Microsecond, days: 1},
		"the last microsecond":           {ladder: ladder, expires: at(time.Microsecond), want: time.Microsecond},
		"over":                           {ladder: ladder, expires: at(0)},
		"rotated before":                 {ladder: ladder, expires: at(5 * day), rotates: at(4 * day)},
		"rotated at the end":             {ladder: ladder, expires: at(5 * day), rotates: at(5 * day)},
		"rotated too late":               {ladder: ladder, expires: at(5 * day), rotates: at(5*day + 1), want: 5 * day, days: 5},
		"rotated, and never expires":     {ladder: ladder, rotates: at(5 * day)},
		"replaced, its overlap ends":     {ladder: ladder, ends: at(day), key: lifecycle.KeyRetiring, want: day, days: 1},
		"its overlap ends before itself": {ladder: ladder, expires: at(3 * day), ends: at(day), key: lifecycle.KeyRetiring, want: day, days: 1},
		"the tenant wants no notices":    {expires: at(day)},
		"refused":                        {ladder: ladder, expires: at(day), isRefusedAnyway: true},
	} {
		f := goodFacts()
		f.ExpiresAt, f.RetiresAt = c.expires, c.ends
		if c.key != "" {
			f.KeyStatus = c.key
		}
		if c.isRefusedAnyway {
			f.ApplicationStatus = lifecycle.ApplicationSuspended
		}
		f.NoticeWithin = c.ladder.NoticeFor(f.EndsAt(), c.rotates)
		v := lifecycle.Judge(&f, lifecycle.Presented{}, start)
		days, isSoon := v.EndsInDays()
		if v.EndsIn != c.want || isSoon != (c.want > 0) || days != c.days {
			t.Errorf("%s: ends in %s, %d days (%t), want %s, %d days", name, v.EndsIn, days, isSoon, c.want, c.days)
		}
	}
	f := goodFacts()
	f.ExpiresAt, f.NoticeWithin = at(40*day), 30*day
	if n := testing.AllocsPerRun(100, func() { lifecycle.Judge(&f, lifecycle.Presented{}, start) }); n != 0 {
		t.Errorf("a verdict over a key with time left allocates %v times", n)
	}
}
