package broker

import "strings"

// options are the words that may stand behind ZADD's key.
type options struct {
	onlyNew, onlyOld, onlyGreater, onlyLess, changed bool
}

// zaddOptions reads the words before the scores.
func zaddOptions(args []string) (o options, rest []string) {
	for ; len(args) > 0; args = args[1:] {
		switch strings.ToUpper(args[0]) {
		case "NX":
			o.onlyNew = true
		case "XX":
			o.onlyOld = true
		case "GT":
			o.onlyGreater = true
		case "LT":
			o.onlyLess = true
		case "CH":
			o.changed = true
		default:
			return o, args
		}
	}
	return o, nil
}

// allow reports whether the options let a member get a score.
func (o options) allow(old float64, exists bool, score float64) bool {
	if !exists {
		return !o.onlyOld
	}
	return !o.onlyNew && (!o.onlyGreater || score > old) && (!o.onlyLess || score < old)
}

func zadd(t *tx, out []byte, args []string) []byte {
	o, pairs := zaddOptions(args[1:])
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		return appendError(out, errSyntax)
	case o.onlyNew && o.onlyOld:
		return appendError(out, "ERR XX and NX options at the same time are not compatible")
	case o.onlyGreater && o.onlyLess || o.onlyNew && (o.onlyGreater || o.onlyLess):
		return appendError(out, "ERR GT, LT, and/or NX options at the same time are not compatible")
	}
	scores := make([]float64, len(pairs)/2)
	for i := range scores {
		var ok bool
		if scores[i], ok = number(pairs[2*i]); !ok {
			return appendError(out, errFloat)
		}
	}
	added, changed := 0, 0
	for i, score := range scores {
		old, exists := t.score(args[0], pairs[2*i+1])
		if !o.allow(old, exists, score) {
			continue
		}
		n := t.add(args[0], pairs[2*i+1], score)
		added += n
		changed += max(n, truth(exists && old != score))
	}
	if o.changed {
		added = changed
	}
	return appendInt(out, added)
}

// score returns the score of a member, and whether there is one.
func (t *tx) score(name, member string) (float64, bool) {
	k := t.get(name)
	if k == nil {
		return 0, false
	}
	if k.pin != "" && member == k.pin {
		return pinScore(), true
	}
	score, ok := k.set.scores[member]
	return score, ok
}

func zscore(t *tx, out []byte, args []string) []byte {
	if score, ok := t.score(args[0], args[1]); ok {
		return appendScore(out, score)
	}
	return appendNil(out)
}

func zrem(t *tx, out []byte, args []string) []byte {
	n := 0
	for _, member := range args[1:] {
		n += t.remove(args[0], member)
	}
	return appendInt(out, n)
}

func zcard(t *tx, out []byte, args []string) []byte {
	if k := t.get(args[0]); k != nil {
		return appendInt(out, k.count())
	}
	return appendInt(out, 0)
}

func zcount(t *tx, out []byte, args []string) []byte {
	from, to, ok := scoreBounds(args[1], args[2])
	if !ok {
		return appendError(out, errMinMax)
	}
	return appendInt(out, t.count(args[0], from, to))
}

func zremrangebyscore(t *tx, out []byte, args []string) []byte {
	from, to, ok := scoreBounds(args[1], args[2])
	if !ok {
		return appendError(out, errMinMax)
	}
	return appendInt(out, t.removeBetween(args[0], from, to))
}

// entries returns the entries of a key by rank, from one up to another one, its pin as the last.
func (t *tx) entries(name string, from, to int) []entry {
	k := t.get(name)
	if k == nil || from >= to {
		return nil
	}
	list := make([]entry, 0, min(to, k.count())-min(from, k.count()))
	for e := range k.set.span(from, to) {
		list = append(list, e)
	}
	if n := k.set.len(); k.pin != "" && from <= n && n < to {
		list = append(list, entry{pinScore(), k.pin})
	}
	return list
}

// appendEntries appends entries, or their members alone.
func appendEntries(out []byte, list []entry, withScores string) []byte {
	if withScores == "" {
		out = appendArray(out, len(list))
		for _, e := range list {
			out = appendBulk(out, e.member)
		}
		return out
	}
	out = appendArray(out, 2*len(list))
	for _, e := range list {
		out = appendScore(appendBulk(out, e.member), e.score)
	}
	return out
}

// ranks makes ranks, which count from the end where they are below 0, into a span of n entries.
func ranks(first, last, n int) (from, to int) {
	if first < 0 {
		first = max(0, n+first)
	}
	if last < 0 {
		last = n + last
	}
	return first, min(last, n-1) + 1
}

// withScores reads the word behind a range, if there is one.
func withScores(args []string) (word string, ok bool) {
	switch {
	case len(args) == 0:
		return "", true
	case len(args) == 1 && strings.EqualFold(args[0], "WITHSCORES"):
		return args[0], true
	}
	return "", false
}

// byRank is what ZRANGE and ZREVRANGE have in common. It returns the entries, or an error's text.
func (t *tx) byRank(args []string, span func(first, last, n int) (from, to int)) (list []entry, word, problem string) {
	word, ok := withScores(args[3:])
	if !ok {
		return nil, "", "ERR syntax error: this broker takes ranks, and WITHSCORES"
	}
	first, okFirst := integer(args[1])
	last, okLast := integer(args[2])
	if !okFirst || !okLast {
		return nil, "", errInteger
	}
	n := 0
	if k := t.get(args[0]); k != nil {
		n = k.count()
	}
	from, to := span(first, last, n)
	return t.entries(args[0], from, to), word, ""
}

func zrange(t *tx, out []byte, args []string) []byte {
	list, word, problem := t.byRank(args, ranks)
	if problem != "" {
		return appendError(out, problem)
	}
	return appendEntries(out, list, word)
}

func zrevrange(t *tx, out []byte, args []string) []byte {
	list, word, problem := t.byRank(args, func(first, last, n int) (int, int) {
		from, to := ranks(first, last, n)
		return n - to, n - from
	})
	if problem != "" {
		return appendError(out, problem)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return appendEntries(out, list, word)
}

// zrangebyscore is ZRANGEBYSCORE with WITHSCORES and LIMIT.
func zrangebyscore(t *tx, out []byte, args []string) []byte {
	from, to, ok := scoreBounds(args[1], args[2])
	if !ok {
		return appendError(out, errMinMax)
	}
	word, offset, limit := "", 0, -1
	for rest := args[3:]; len(rest) > 0; {
		switch {
		case strings.EqualFold(rest[0], "WITHSCORES"):
			word, rest = rest[0], rest[1:]
		case strings.EqualFold(rest[0], "LIMIT") && len(rest) >= 3:
			var okOffset, okLimit bool
			offset, okOffset = integer(rest[1])
			limit, okLimit = integer(rest[2])
			if !okOffset || !okLimit {
				return appendError(out, errInteger)
			}
			rest = rest[3:]
		default:
			return appendError(out, errSyntax)
		}
	}
	return appendEntries(out, t.between(args[0], from, to, offset, limit), word)
}

// between returns the entries between two bounds, some left out before them, and at most limit unless that is negative.
func (t *tx) between(name string, from, to bound, offset, limit int) []entry {
	k := t.get(name)
	if k == nil || offset < 0 {
		return nil
	}
	first, end := k.set.rank(from), k.set.rank(to)
	if k.pin != "" && to.before(pinScore()) {
		end++
	}
	first += min(offset, end)
	if limit >= 0 {
		end = min(end, first+min(limit, end))
	}
	return t.entries(name, first, end)
}

func zpopmin(t *tx, out []byte, args []string) []byte { return t.pop(out, args, (*sortedSet).first) }

func zpopmax(t *tx, out []byte, args []string) []byte { return t.pop(out, args, (*sortedSet).last) }

// pop takes some entries out of a key, each the one that next says.
func (t *tx) pop(out []byte, args []string, next func(*sortedSet) entry) []byte {
	n := 1
	if len(args) == 2 {
		var ok bool
		if n, ok = integer(args[1]); !ok || n < 0 {
			return appendError(out, "ERR value is out of range, must be positive")
		}
	}
	k := t.get(args[0])
	if k == nil {
		return appendArray(out, 0)
	}
	var list []entry
	for len(list) < n && k.set.len() > 0 {
		e := next(&k.set)
		t.keyspace.remove(k, e.member)
		list = append(list, e)
	}
	return appendEntries(out, list, "WITHSCORES")
}

// bzpopmin is BZPOPMIN where nobody may wait.
func bzpopmin(t *tx, out []byte, args []string) []byte {
	if _, problem := timeout(args[len(args)-1]); problem != "" {
		return appendError(out, problem)
	}
	for _, name := range args[:len(args)-1] {
		if e, ok := t.popMin(name); ok {
			return appendPopped(out, name, e)
		}
	}
	return appendNilArray(out)
}

func appendPopped(out []byte, key string, e entry) []byte {
	return appendScore(appendBulk(appendBulk(appendArray(out, 3), key), e.member), e.score)
}
