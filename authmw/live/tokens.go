package live

import (
	"context"
	"fmt"

	"github.com/belleville/belleville/sessionstore"
)

// nameOf returns the key of a token in the index. No session key is like it: a cookie cannot hold a NUL.
func nameOf(g sessionstore.TokenGround) string {
	return fmt.Sprintf("\x00%q %q %q %q %q %q %t", g.PK.String(), g.Backend, g.Table, g.Key, g.JTI, g.PasswordSum, g.AdmitsInactive)
}

// groundLocked notes what it rests on that visitors are known by a token.
func (l *Live) groundLocked(w *watched, g sessionstore.TokenGround) {
	if l.grounds == nil {
		l.grounds = make(map[*watched]sessionstore.TokenGround)
	}
	l.grounds[w] = g
}

// removeLocked forgets a session, or a token, without connections.
func (l *Live) removeLocked(w *watched) {
	delete(l.grounds, w)
	delete(l.commits, w)
	l.index.remove(w)
}

// inquiry is what the store is asked at one time.
type inquiry struct {
	keys    []string
	grounds []sessionstore.TokenGround
	isToken []bool // in the order of the answers
}

// inquiryLocked begins to ask about sessions and tokens.
func (l *Live) inquiryLocked(due []*watched) inquiry {
	q := inquiry{isToken: make([]bool, len(due))}
	for i, w := range due {
		w.asking = true
		if g, ok := l.grounds[w]; ok {
			q.isToken[i] = true
			q.grounds = append(q.grounds, g)
		} else {
			q.keys = append(q.keys, w.key)
		}
	}
	return q
}

// ask returns the answers.
func (q inquiry) ask(ctx context.Context, store Store) ([]sessionstore.Standing, error) {
	var sessions, tokens []sessionstore.Standing
	var err error
	if len(q.keys) > 0 {
		sessions, err = store.Standings(ctx, q.keys)
	}
	if err == nil && len(q.grounds) > 0 {
		tokens, err = store.TokenStandings(ctx, q.grounds)
	}
	if err != nil {
		return nil, err
	}
	all := make([]sessionstore.Standing, len(q.isToken))
	for i, isToken := range q.isToken {
		from := &sessions
		if isToken {
			from = &tokens
		}
		all[i], *from = (*from)[0], (*from)[1:]
	}
	return all, nil
}
