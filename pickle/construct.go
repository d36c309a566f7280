package pickle

import "unicode/utf8"

// The opcodes that name classes, and those that would call them.

// global reads the name of a class from two lines.
func (m *machine) global() error {
	class, err := m.readClass()
	if err != nil {
		return err
	}
	return m.push(class)
}

func (m *machine) readClass() (Class, error) {
	var names [2]string
	for i := range names {
		line, err := m.readLine()
		if err != nil {
			return Class{}, err
		}
		if len(line) == 0 || !utf8.Valid(line) {
			return Class{}, malformed("a global has no proper name")
		}
		if err := m.budget.take(len(line) + 2*boxSize); err != nil {
			return Class{}, err
		}
		names[i] = string(line)
	}
	return m.class(names[0], names[1]), nil
}

// stackGlobal takes the name of a class from the stack.
func (m *machine) stackGlobal() error {
	name, err := m.pop()
	if err != nil {
		return err
	}
	module, err := m.pop()
	if err != nil {
		return err
	}
	nameText, ok := name.(string)
	moduleText, alsoOK := module.(string)
	if !ok || !alsoOK {
		return errWrongType
	}
	return m.pushNew(m.class(moduleText, nameText), 2*boxSize)
}

// class is the global of that name, with the name that it has in Python 3.
func (m *machine) class(module, name string) Class {
	class := Class{Module: module, Name: name}
	if m.proto > 2 || len(module)+len(name) > maxRenamed {
		return class
	}
	if m.renames == nil {
		m.renames = newRenaming()
	}
	return m.renames.python3(class)
}

func (m *machine) reduceOp() error {
	args, err := m.popTuple()
	if err != nil {
		return err
	}
	callable, err := m.pop()
	if err != nil {
		return err
	}
	return m.call(opReduce, callable, args, nil)
}

func (m *machine) newObj() error {
	args, err := m.popTuple()
	if err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	return m.call(opNewObj, class, args, nil)
}

func (m *machine) newObjEx() error {
	kwargs, err := m.pop()
	if err != nil {
		return err
	}
	named, ok := kwargs.(*Dict)
	if !ok {
		return errWrongType
	}
	args, err := m.popTuple()
	if err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	return m.call(opNewObjEx, class, args, named)
}

func (m *machine) popTuple() (Tuple, error) {
	v, err := m.pop()
	if err != nil {
		return nil, err
	}
	t, ok := v.(Tuple)
	if !ok {
		return nil, errWrongType
	}
	return t, nil
}

// inst calls a class that two lines name, with what stands above the mark.
func (m *machine) inst() error {
	class, err := m.readClass()
	if err != nil {
		return err
	}
	values, err := m.popMark()
	if err != nil {
		return err
	}
	return m.instantiate(class, values)
}

// obj calls the class that stands first above the mark, with the rest.
func (m *machine) obj() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return errUnderflow
	}
	return m.instantiate(values[0], values[1:])
}

func (m *machine) instantiate(class any, values []any) error {
	if err := m.budget.take(anySize*len(values) + listSize); err != nil {
		return err
	}
	args := make(Tuple, len(values))
	copy(args, values)
	return m.call(opObj, class, args, nil)
}

// call pushes what callable would return in Python: a value where the class is a known one and the
// arguments are those that Python writes for it, and otherwise an Object that says what to call.
func (m *machine) call(how byte, callable any, args Tuple, kwargs *Dict) error {
	class, isClass := callable.(Class)
	if _, isObject := callable.(*Object); !isClass && !isObject {
		return malformed("what is called is no class or function")
	}
	if isClass && kwargs == nil {
		v, err := m.known(how, class, args)
		if err != nil {
			return err
		}
		if v != nil {
			return m.push(v)
		}
	}
	if err := m.countElements(args); err != nil {
		return err
	}
	m.nested++ // callable
	m.objects++
	o := &Object{class: nameOf(callable, args), how: how, callable: callable, args: args, kwargs: kwargs}
	return m.pushNew(o, objectSize)
}

// build gives the object below a state.
func (m *machine) build() error {
	if len(m.stack)-2 < m.fence {
		return errUnderflow
	}
	state, _ := m.pop()
	top := len(m.stack) - 1
	if err := m.countElements(m.stack[top+1 : top+2]); err != nil {
		return err
	}
	switch o := m.stack[top].(type) {
	case *Object:
		if o.isNew() {
			if v := withState(o.class, state); v != nil {
				if o.shared {
					return unsupported("an object is referred to before it is complete")
				}
				m.objects--
				o.becomes = v
				m.stack[top] = v
				return m.budget.take(objectSize)
			}
		}
		return o.addStep(opBuild, []any{state}, &m.budget)
	case *OrderedDict:
		o.state = append(o.state, state)
		return m.budget.take(2 * anySize)
	}
	return errWrongType
}
