package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/busy"
)

// ErrBusy means that as many passwords are waiting to be hashed as may, that the caller's time was over before
// there was a processor for his, or, as a [*TriesError], that too many were wrong. Whoever logs in should try
// again a little later: 503, or 429.
var ErrBusy = errors.New("sessionstore: too many passwords are being checked")

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 4096

// Authenticate returns the user of this name and password whom one of the authentication backends lets in,
// or ErrBadLogin. There is exactly one hash to compute for whoever asks: for a name that is nobody's, a user
// who is inactive or whose password is unusable or damaged, it is one of the site's preferred hasher.
// Passwords are hashed on all processors but one; Config.MaxHashing more of them wait, and beyond that there
// is ErrBusy. They give way to what else the processors have to do, if they are hashed by PBKDF2.
//
// Config.Tries bounds the wrong passwords for one name; beyond it there is a *TriesError, and no hash. See
// AuthenticateFrom.
//
// A password is checked against the user table, as ModelBackend does it; RemoteUserBackend takes none. The
// user has the path of ModelBackend or AllowAllUsersModelBackend, or of a backend of the site's own if it
// has neither.
//
// Where Config.Passwords names the site's Django, a right password that was encoded by another hasher or at
// another cost is encoded anew, as Django does on login, unless the row was changed meanwhile. As in Django
// that ends the user's other sessions, whose auth hash is made of the encoded password.
// Python: django.contrib.auth.authenticate with ModelBackend.
func (s *Store) Authenticate(ctx context.Context, username, password string) (*djangocompat.User, error) {
	return s.AuthenticateFrom(ctx, netip.Addr{}, username, password)
}

// AuthenticateFrom is Authenticate for a client at an address, as the server knows it: Config.Tries bounds the wrong
// passwords that come from there, too, and lets it try some for each name whatever others try.
func (s *Store) AuthenticateFrom(ctx context.Context, from netip.Addr, username, password string) (*djangocompat.User, error) {
	one, err := s.passwords.tries.begin(from, username)
	var u *djangocompat.User
	if err == nil {
		u, err = s.authenticate(ctx, username, password)
	}
	if errors.Is(err, ErrBadLogin) {
		one.failed()
	}
	s.metrics.authenticated(err)
	if err != nil {
		return nil, fmt.Errorf("authenticate: %w", err)
	}
	return u, nil
}

func (s *Store) authenticate(ctx context.Context, username, password string) (*djangocompat.User, error) {
	leave, err := s.passwords.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	row, found, err := s.byName(ctx, username)
	if err != nil {
		return nil, err
	}
	if !found || len(password) > maxPassword {
		row.password = ""
	}
	a, err := s.passwords.check(ctx, password, row.password)
	if err != nil {
		return nil, err
	}
	if a.unreadable != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadLogin, a.unreadable)
	}
	if a.verdict == djangocompat.PasswordWrong {
		return nil, ErrBadLogin
	}
	if a.encoded != "" {
		s.setPassword(ctx, row, a.encoded)
	}
	for _, backend := range passwordBackends(s.cfg.AuthenticationBackends) {
		if row.user.IsActive || s.letsInactiveIn(backend) {
			return s.known.share(row.user, backend), nil
		}
	}
	return nil, ErrBadLogin
}

// passwordBackends returns those of a site's backends by which somebody can log in with a password.
func passwordBackends(all []string) []string {
	var djangos, own []string
	for _, backend := range all {
		switch backend {
		case ModelBackend, AllowAllUsersModelBackend:
			djangos = append(djangos, backend)
		case RemoteUserBackend, AllowAllUsersRemoteUserBackend:
		default:
			own = append(own, backend)
		}
	}
	if len(djangos) > 0 {
		return djangos
	}
	return own
}

// byName returns the user of a name.
func (s *Store) byName(ctx context.Context, username string) (userRow, bool, error) {
	t, err := s.ready()
	if err != nil {
		return userRow{}, false, err
	}
	if !representableText(username) {
		return userRow{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	var row userRow
	found := false
	scanner := t.scanner()
	err = s.db.query(ctx, t.userByName(username), func(scan func(...any) error) error {
		found = true
		row, err = scanner.read(scan)
		return err
	})
	if err != nil && faultOf(err) == FaultValue { // no such name can be in the table
		return userRow{}, false, nil
	}
	return row, found, s.noted(err)
}

// setPassword stores what a right password is encoded as now, unless another one was stored meanwhile. That
// it may fail, as where the role may only read, does not keep anybody from logging in; it is counted.
func (s *Store) setPassword(ctx context.Context, row userRow, encoded string) {
	if t, err := s.ready(); err == nil {
		_, _ = s.exec(ctx, t.swapPassword(row.user.PK, row.password, encoded))
	}
}

// swapPassword stores a password in place of the encoded one old.
func (t *tables) swapPassword(pk djangocompat.PK, old, encoded string) statement {
	password := quote(t.columns[2])
	args := append(slices.Clone(t.dialect.pks(t.pkKind, []djangocompat.PK{pk})), encoded, old)
	sql := "UPDATE " + t.users + " SET " + password + " = " + t.dialect.param(len(args)-1) +
		" WHERE " + t.dialect.oneOf(t.pk, t.pkKind, 1) + " AND " + password + " = " + t.dialect.param(len(args))
	return statement{sql, args}
}

// passwordHashers are the hashers of a site: *djangocompat.PasswordHashers.
type passwordHashers interface {
	Check(password, encoded string) (djangocompat.PasswordVerdict, error)
	CheckDecoy()
	Hash(password string) (string, error)
}

// passwords checks the passwords of those who log in, so many at a time.
type passwords struct {
	tries    *tries
	hashers  passwordHashers
	upgrades bool          // whether an outdated password is encoded anew
	logins   chan struct{} // holds a token for each login that is under way; a further one is refused
	hashing  chan struct{} // holds a token for each password that is being hashed; a further one waits
}

// newPasswords makes the passwords of cfg, which was checked.
func newPasswords(cfg Config) *passwords {
	hashers, err := djangocompat.NewPasswordHashers(cfg.Passwords)
	if err != nil {
		hashers, _ = djangocompat.NewPasswordHashers(djangocompat.HasherConfig{})
	}
	atOnce := max(1, runtime.GOMAXPROCS(0)-1)
	return &passwords{
		tries:    newTries(cfg.Tries),
		hashers:  hashers,
		upgrades: cfg.Passwords.Django != "",
		logins:   make(chan struct{}, atOnce+cfg.MaxHashing),
		hashing:  make(chan struct{}, atOnce),
	}
}

// enter begins a login, whose end the caller tells by calling leave.
func (p *passwords) enter() (leave func(), err error) {
	select {
	case p.logins <- struct{}{}:
		return func() { <-p.logins }, nil
	default:
		return nil, ErrBusy
	}
}

// An assay is what became of a password.
type assay struct {
	verdict    djangocompat.PasswordVerdict
	unreadable error  // why the encoded password cannot be checked
	encoded    string // what is to be stored instead; "" if nothing is
}

// check hashes password when there is a processor for it. An encoded password that is "" is nobody's.
func (p *passwords) check(ctx context.Context, password, encoded string) (assay, error) {
	select {
	case p.hashing <- struct{}{}:
	case <-ctx.Done():
		return assay{}, fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
	defer func() { <-p.hashing }()
	var a assay
	busy.Do(func() { a = p.assay(password, encoded) })
	return a, nil
}

// assay is check, with a processor.
func (p *passwords) assay(password, encoded string) (a assay) {
	if encoded == "" {
		p.hashers.CheckDecoy()
		return a
	}
	a.verdict, a.unreadable = p.hashers.Check(password, encoded)
	if a.verdict == djangocompat.PasswordOutdated && p.upgrades {
		a.encoded, _ = p.hashers.Hash(password) // fails where a bcrypt cannot take it; then it stays as it is
	}
	return a
}

// The results of a login.
type loginResult string

const (
	loginRight       loginResult = "right"
	loginWrong       loginResult = "wrong"
	loginUnreadable  loginResult = "unreadable" // the encoded password cannot be checked
	loginBusy        loginResult = "busy"
	loginAddress     loginResult = "too_many_from_address"
	loginName        loginResult = "too_many_for_name"
	loginUnavailable loginResult = "unavailable"
)

func loginResultOf(err error) loginResult {
	if e, ok := errors.AsType[*TriesError](err); ok {
		if e.Address {
			return loginAddress
		}
		return loginName
	}
	switch {
	case err == nil:
		return loginRight
	case errors.Is(err, djangocompat.ErrPasswordFormat):
		return loginUnreadable
	case errors.Is(err, ErrBadLogin):
		return loginWrong
	case errors.Is(err, ErrBusy):
		return loginBusy
	}
	return loginUnavailable
}
