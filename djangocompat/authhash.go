package djangocompat

// HashVerdict says what a session auth hash is worth.
type HashVerdict uint8

// The verdicts on a session auth hash.
const (
	HashWrong    HashVerdict = iota // the password has changed, or the key
	HashCurrent                     // made with SECRET_KEY
	HashFallback                    // made with one of SECRET_KEY_FALLBACKS
)

// SessionAuthHash returns what login() writes into a session as _auth_user_hash: a digest of the stored,
// encoded password. Python: AbstractBaseUser.get_session_auth_hash.
func SessionAuthHash(keys Keys, password string) string { return "" }

// VerifySessionAuthHash says whether hash, from a session, belongs to the stored, encoded password. It
// takes the same time whatever the hash holds. Python: the check in django.contrib.auth.get_user.
func VerifySessionAuthHash(keys Keys, password, hash string) HashVerdict { return HashWrong }

// VerifyLegacyAuthHash is VerifySessionAuthHash for the SHA-1 hashes of Django before 3.1, which 3.1 and
// 3.2 still accept. Python: AbstractBaseUser._legacy_get_session_auth_hash.
func VerifyLegacyAuthHash(keys Keys, password, hash string) HashVerdict { return HashWrong }
