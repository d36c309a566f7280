package pickle

// A memo holds the objects that later opcodes refer to by number. Numbers count up in what Python
// writes; others are possible, and cost no more memory than they are.
type memo struct {
	dense  []any // by number; notSet where there is nothing
	sparse map[uint64]any
	count  int
}

type notSet struct{}

func (m *memo) get(number uint64) (any, bool) {
	if number < uint64(len(m.dense)) && m.dense[number] != any(notSet{}) {
		return m.dense[number], true
	}
	v, ok := m.sparse[number]
	return v, ok
}

func (m *memo) put(number uint64, v any, b *budget) error {
	if number < uint64(len(m.dense)) && m.dense[number] != any(notSet{}) {
		m.dense[number] = v
		return nil
	}
	if _, ok := m.sparse[number]; ok {
		m.sparse[number] = v
		return nil
	}
	if b.memo--; b.memo < 0 {
		return limited("memo")
	}
	m.count++
	if number > 2*uint64(len(m.dense))+16 {
		if m.sparse == nil {
			m.sparse = make(map[uint64]any)
		}
		m.sparse[number] = v
		return b.take(indexSize + anySize)
	}
	if missing := int(number) + 1 - len(m.dense); missing > 0 {
		var err error
		if m.dense, err = reserve(b, m.dense, missing, anySize); err != nil {
			return err
		}
		for range missing {
			m.dense = append(m.dense, notSet{})
		}
	}
	m.dense[number] = v
	return nil
}

func (m *machine) push(v any) error {
	var err error
	if m.stack, err = reserve(&m.budget, m.stack, 1, anySize); err != nil {
		return err
	}
	m.stack = append(m.stack, v)
	return nil
}

// pushNew pushes an object of the given size in memory.
func (m *machine) pushNew(v any, size int) error {
	if err := m.budget.take(size); err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) pop() (any, error) {
	last := len(m.stack) - 1
	if last < m.fence {
		return nil, errUnderflow
	}
	v := m.stack[last]
	m.stack = m.stack[:last]
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.fence {
		return nil, errUnderflow
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) mark() error {
	var err error
	if m.marks, err = reserve(&m.budget, m.marks, 1, 8); err != nil {
		return err
	}
	m.marks = append(m.marks, len(m.stack))
	m.fence = len(m.stack)
	return nil
}

// toMark takes the last mark away and returns the place of what stands above it.
func (m *machine) toMark() (int, error) {
	last := len(m.marks) - 1
	if last < 0 {
		return 0, errNoMark
	}
	start := m.marks[last]
	m.marks = m.marks[:last]
	m.fence = 0
	if last > 0 {
		m.fence = m.marks[last-1]
	}
	return start, nil
}

// popMark pops what stands above the last mark, and the mark. The values are valid until the next push.
func (m *machine) popMark() ([]any, error) {
	start, err := m.toMark()
	if err != nil {
		return nil, err
	}
	values := m.stack[start:]
	m.stack = m.stack[:start]
	return values, nil
}

// popOrMark pops a value, or the mark where that is on top.
func (m *machine) popOrMark() error {
	if last := len(m.marks) - 1; last >= 0 && m.marks[last] == len(m.stack) {
		_, err := m.toMark()
		return err
	}
	_, err := m.pop()
	return err
}

func (m *machine) dup() error {
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.push(m.refer(v))
}

func (m *machine) put(number uint64, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.memo.put(number, v, &m.budget)
}

func (m *machine) get(number uint64, err error) error {
	if err != nil {
		return err
	}
	v, ok := m.memo.get(number)
	if !ok {
		return malformed("nothing is remembered under a number")
	}
	return m.push(m.refer(v))
}

// refer notes that v is referred to once more, and returns what it has become since.
func (m *machine) refer(v any) any {
	switch o := v.(type) {
	case *Object:
		if o.becomes != nil {
			return o.becomes
		}
		o.shared = true
	case float64, complex128, Decimal:
		if isNaN(v) {
			m.ring().sharedNaN = true
		}
	}
	return v
}

// ring is the keyring that all dicts and sets of the pickle share.
func (m *machine) ring() *keyring {
	if m.keys == nil {
		m.keys = &keyring{seen: make(map[any]uint64)}
	}
	return m.keys
}
