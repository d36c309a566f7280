package pickle

// survey checks the value that a pickle has made: that it is not nested too deep, and that no call
// was made whose result is not part of it. Python would make such a call, for its effect; a value
// that does not show it would be another one than Python has.
func (m *machine) survey(v any) error {
	if m.objects == 0 && m.nested <= m.maxDepth {
		return nil
	}
	s := surveyor{budget: &m.budget, depth: make(map[any]int), maxDepth: m.maxDepth}
	if err := s.walk(v); err != nil {
		return err
	}
	if s.objects != m.objects {
		return unsupported("a call whose result is thrown away")
	}
	return nil
}

// A surveyor walks the graph of a value, each container once, without recursion.
type surveyor struct {
	budget   *budget
	depth    map[any]int // how deep the containers that were walked are nested inside
	maxDepth int
	objects  int
	open     []openContainer
	pending  []any // the children of the open containers that are still to be walked
}

// An openContainer is a container whose children are being walked.
type openContainer struct {
	identity any
	first    int // the place of its first child in pending
	depth    int // of the deepest child so far
}

func (s *surveyor) walk(v any) error {
	if err := s.enter(v); err != nil {
		return err
	}
	for len(s.open) > 0 {
		top := &s.open[len(s.open)-1]
		if last := len(s.pending) - 1; last >= top.first {
			child := s.pending[last]
			s.pending = s.pending[:last]
			if err := s.enter(child); err != nil {
				return err
			}
			continue
		}
		if top.depth++; top.depth > s.maxDepth {
			return limited("depth")
		}
		s.depth[top.identity] = top.depth
		depth := top.depth
		s.open = s.open[:len(s.open)-1]
		s.nestedIn(depth)
	}
	return nil
}

// nestedIn tells the container that is open how deep its child is.
func (s *surveyor) nestedIn(depth int) {
	if len(s.open) > 0 {
		parent := &s.open[len(s.open)-1]
		parent.depth = max(parent.depth, depth)
	}
}

func (s *surveyor) enter(v any) error {
	switch at := v.(type) {
	case DateTime:
		v = at.Zone
	case Time:
		v = at.Zone
	}
	id, ok := identity(v)
	if !ok {
		return nil
	}
	if depth, seen := s.depth[id]; seen {
		s.nestedIn(depth)
		return nil
	}
	if _, isObject := v.(*Object); isObject {
		s.objects++
	}
	var err error
	if s.pending, err = reserve(s.budget, s.pending, childCount(v), anySize); err != nil {
		return err
	}
	if s.open, err = reserve(s.budget, s.open, 1, 2*entrySize); err != nil {
		return err
	}
	s.open = append(s.open, openContainer{identity: id, first: len(s.pending)})
	s.pending = appendChildren(s.pending, v)
	s.depth[id] = 0
	return s.budget.take(indexSize)
}

// identity is what is the same for two references to one container, and whether v is a container.
func identity(v any) (any, bool) {
	switch v := v.(type) {
	case Tuple:
		return identityOfTuple(v), len(v) > 0
	case *List, *Dict, *OrderedDict, *DefaultDict, *Set, *FrozenSet, *Object, *Message, *LazyString:
		return v, true
	}
	return nil, false
}

// childCount is at least the number of values that appendChildren appends.
func childCount(v any) int {
	switch v := v.(type) {
	case Tuple:
		return len(v)
	case *List:
		return len(v.Items)
	case *Dict:
		return 2 * len(v.entries)
	case *OrderedDict:
		return 2*len(v.entries) + len(v.state)
	case *DefaultDict:
		return 2*len(v.entries) + 1
	case *Set:
		return 2 * len(v.members.entries)
	case *FrozenSet:
		return 2 * len(v.members.entries)
	case *Object:
		n := 2 + len(v.args)
		for _, step := range v.steps {
			n += len(step.values)
		}
		return n
	}
	return 5
}

// appendChildren appends the values that v refers to.
func appendChildren(dst []any, v any) []any {
	switch v := v.(type) {
	case Tuple:
		return append(dst, v...)
	case *List:
		return append(dst, v.Items...)
	case *Dict:
		return appendEntries(dst, v)
	case *OrderedDict:
		return append(appendEntries(dst, &v.Dict), v.state...)
	case *DefaultDict:
		return append(appendEntries(dst, &v.Dict), v.Factory)
	case *Set:
		return appendEntries(dst, &v.members)
	case *FrozenSet:
		return appendEntries(dst, &v.members)
	case *Object:
		dst = append(append(dst, v.callable), v.args...)
		if v.kwargs != nil {
			dst = append(dst, v.kwargs)
		}
		for _, step := range v.steps {
			dst = append(dst, step.values...)
		}
	case *Message:
		return append(dst, v.Message, v.ExtraTags)
	case *LazyString:
		dst = append(dst, v.Args, v.Results)
		if v.Kwargs != nil {
			dst = append(dst, v.Kwargs)
		}
	}
	return dst
}

func appendEntries(dst []any, d *Dict) []any {
	for _, e := range d.entries {
		dst = append(dst, e.Key, e.Value)
	}
	return dst
}
