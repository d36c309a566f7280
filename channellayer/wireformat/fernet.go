package wireformat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// ErrToken means that none of the keys made a token, or that it is too old.
var ErrToken = errors.New("wireformat: not encrypted with one of the keys, or too old")

const (
	fernetVersion = 0x80
	fernetHeader  = 1 + 8 + aes.BlockSize // version, time, IV
	fernetLeast   = fernetHeader + aes.BlockSize + sha256.Size

	// fernetSkew is how far in the future a token may be made, by a clock that is fast.
	// Python: cryptography.fernet._MAX_CLOCK_SKEW.
	fernetSkew = 60 * time.Second
)

// A Crypter encrypts with the first of its keys, and decrypts with whichever made a token.
// Python: cryptography.fernet.MultiFernet, over keys made by RedisChannelLayer.make_fernet.
type Crypter struct {
	keys   []fernetKey // at least one
	maxAge time.Duration
}

// fernetKey is a key of Fernet's.
type fernetKey struct {
	sign  []byte
	block cipher.Block
}

// NewCrypter makes a Crypter from secrets, or nil where there are none. A token older than maxAge is refused, unless
// that is 0.
func NewCrypter(secrets []string, maxAge time.Duration) (*Crypter, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	c := &Crypter{maxAge: maxAge}
	for _, s := range secrets {
		sum := sha256.Sum256([]byte(s))
		block, err := aes.NewCipher(sum[16:])
		if err != nil {
			return nil, err
		}
		c.keys = append(c.keys, fernetKey{sign: bytes.Clone(sum[:16]), block: block})
	}
	return c, nil
}

// Encrypt returns a token that holds plain and says that it was made at now.
func (c *Crypter) Encrypt(plain []byte, now time.Time) []byte {
	key := c.keys[0]
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	raw := make([]byte, fernetHeader+len(plain)+padding, fernetHeader+len(plain)+padding+sha256.Size)
	raw[0] = fernetVersion
	binary.BigEndian.PutUint64(raw[1:], uint64(now.Unix()))
	iv, body := raw[9:fernetHeader], raw[fernetHeader:]
	_, _ = rand.Read(iv) // it never fails
	copy(body, plain)
	for i := len(plain); i < len(body); i++ {
		body[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(key.block, iv).CryptBlocks(body, body)
	raw = append(raw, key.mac(raw)...)
	return base64.URLEncoding.AppendEncode(nil, raw)
}

// Decrypt returns what a token holds.
func (c *Crypter) Decrypt(token []byte, now time.Time) ([]byte, error) {
	raw, err := base64.URLEncoding.AppendDecode(nil, token)
	if err != nil || len(raw) < fernetLeast || raw[0] != fernetVersion || !c.inTime(raw, now) {
		return nil, ErrToken
	}
	signed, mac := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	for _, key := range c.keys {
		if hmac.Equal(key.mac(signed), mac) {
			return key.open(signed)
		}
	}
	return nil, ErrToken
}

// inTime reports whether a token is neither too old nor from the future.
func (c *Crypter) inTime(raw []byte, now time.Time) bool {
	if c.maxAge == 0 {
		return true
	}
	made := binary.BigEndian.Uint64(raw[1:])
	if made > math.MaxInt32*64 { // far beyond any date, and safe to calculate with
		return false
	}
	age := now.Sub(time.Unix(int64(made), 0))
	return age <= c.maxAge && age >= -fernetSkew
}

func (k fernetKey) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, k.sign)
	h.Write(signed)
	return h.Sum(nil)
}

// open decrypts what a valid signature stands under.
func (k fernetKey) open(signed []byte) ([]byte, error) {
	iv, body := signed[9:fernetHeader], signed[fernetHeader:]
	if len(body)%aes.BlockSize != 0 {
		return nil, ErrToken
	}
	cipher.NewCBCDecrypter(k.block, iv).CryptBlocks(body, body)
	padding := int(body[len(body)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, ErrToken
	}
	want := bytes.Repeat([]byte{byte(padding)}, padding)
	if subtle.ConstantTimeCompare(body[len(body)-padding:], want) != 1 {
		return nil, ErrToken
	}
	return body[:len(body)-padding], nil
}
