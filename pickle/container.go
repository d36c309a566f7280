package pickle

import "slices"

// The opcodes that make and fill containers.

// popFrom pops the values from place start on, and counts them as elements. They are valid until the
// next push.
func (m *machine) popFrom(start int) ([]any, error) {
	if start < m.fence {
		return nil, errUnderflow
	}
	values := m.stack[start:]
	if err := m.countElements(values); err != nil {
		return nil, err
	}
	m.stack = m.stack[:start]
	return values, nil
}

// countElements takes values off the bound on elements, and counts the containers among them.
func (m *machine) countElements(values []any) error {
	for _, v := range values {
		switch v.(type) {
		case nil, string, int64, bool, float64, Bytes, SafeString:
		default:
			m.nested++
		}
	}
	return m.budget.takeElements(len(values))
}

func (m *machine) tuple(start int, err error) error {
	if err != nil {
		return err
	}
	values, err := m.popFrom(start)
	if err != nil {
		return err
	}
	if err := m.budget.take(anySize*len(values) + listSize); err != nil {
		return err
	}
	t := make(Tuple, len(values))
	copy(t, values)
	return m.push(t)
}

func (m *machine) list(values []any, err error) error {
	if err != nil {
		return err
	}
	if err := m.countElements(values); err != nil {
		return err
	}
	if err := m.budget.take(anySize*len(values) + listSize); err != nil {
		return err
	}
	return m.push(&List{Items: slices.Clone(values)})
}

func (m *machine) dict(values []any, err error) error {
	if err != nil {
		return err
	}
	if err := m.budget.take(dictSize); err != nil {
		return err
	}
	d := new(Dict)
	if err := m.fillDict(d, values); err != nil {
		return err
	}
	return m.push(d)
}

func (m *machine) frozenSet(values []any, err error) error {
	if err != nil {
		return err
	}
	if err := m.budget.take(dictSize); err != nil {
		return err
	}
	s := new(FrozenSet)
	if err := m.fillSet(&s.members, values); err != nil {
		return err
	}
	return m.push(s)
}

// fillDict sets keys and values that alternate.
func (m *machine) fillDict(d *Dict, values []any) error {
	if len(values)%2 != 0 {
		return errOdd
	}
	if err := m.countElements(values); err != nil {
		return err
	}
	if err := m.reserveEntries(d, len(values)/2); err != nil {
		return err
	}
	for i := 0; i < len(values); i += 2 {
		if err := m.setKey(d, values[i], values[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) fillSet(d *Dict, values []any) error {
	if err := m.countElements(values); err != nil {
		return err
	}
	if err := m.reserveEntries(d, len(values)); err != nil {
		return err
	}
	for _, v := range values {
		if err := m.setKey(d, v, nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) reserveEntries(d *Dict, n int) error {
	var err error
	d.entries, err = reserve(&m.budget, d.entries, n, entrySize)
	return err
}

func (m *machine) setKey(d *Dict, key, value any) error {
	if m.keys != nil && m.keys.sharedNaN && isNaN(key) {
		return errSharedNaN
	}
	if isComposite(key) {
		d.keys = m.ring()
	}
	return d.set(key, value, &m.budget)
}

// appends fills a list, or an object, with what stands above start; its container stands below.
func (m *machine) appends(start int, err error) error {
	container, values, err := m.operands(start, err)
	if err != nil || len(values) == 0 {
		return err
	}
	switch c := container.(type) {
	case *List:
		if err := m.countElements(values); err != nil {
			return err
		}
		if c.Items, err = reserve(&m.budget, c.Items, len(values), anySize); err != nil {
			return err
		}
		c.Items = append(c.Items, values...)
		return nil
	case *Object:
		return m.addStep(c, opAppends, values)
	}
	return errWrongType
}

func (m *machine) setItems(start int, err error) error {
	container, values, err := m.operands(start, err)
	if err != nil || len(values) == 0 {
		return err
	}
	if len(values)%2 != 0 {
		return errOdd
	}
	switch c := container.(type) {
	case *Dict:
		return m.fillDict(c, values)
	case *OrderedDict:
		return m.fillDict(&c.Dict, values)
	case *DefaultDict:
		return m.fillDict(&c.Dict, values)
	case *Object:
		return m.addStep(c, opSetItems, values)
	}
	return errWrongType
}

func (m *machine) addItems(start int, err error) error {
	container, values, err := m.operands(start, err)
	if err != nil || len(values) == 0 {
		return err
	}
	switch c := container.(type) {
	case *Set:
		return m.fillSet(&c.members, values)
	case *Object:
		return m.addStep(c, opAddItems, values)
	}
	return errWrongType
}

// operands pops the values from place start on, and returns them with the container below them, which
// stays.
func (m *machine) operands(start int, err error) (container any, values []any, _ error) {
	if err != nil {
		return nil, nil, err
	}
	if start <= m.fence || start > len(m.stack) {
		return nil, nil, errUnderflow
	}
	values = m.stack[start:]
	m.stack = m.stack[:start]
	return m.stack[start-1], values, nil
}

func (m *machine) addStep(o *Object, op byte, values []any) error {
	if err := m.countElements(values); err != nil {
		return err
	}
	return o.addStep(op, values, &m.budget)
}
