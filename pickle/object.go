package pickle

import "slices"

// An Object is a Python object of a class that this package does not know, or the result of a call
// that it does not make. It keeps how Python would build it, and Encode writes that again.
type Object struct {
	class    Class
	how      byte // opReduce, opNewObj, opNewObjEx or opObj
	callable any  // a Class or an *Object
	args     Tuple
	kwargs   *Dict // for opNewObjEx
	steps    []step

	// Used while decoding.
	shared  bool // something else than the top of the stack and the memo refers to it
	becomes any  // the value of a known class that it turned out to be
}

// A step is what happens to an object after it was made.
type step struct {
	op     byte // opAppends, opSetItems, opAddItems or opBuild
	values []any
}

// Class is the name that the object goes by: the class it is an instance of where that can be told,
// and otherwise the function that would return it.
func (o *Object) Class() Class { return o.class }

// Callable is what Python would call to make the object, a Class or an *Object, and Args the arguments
// it would get.
func (o *Object) Callable() any { return o.callable }

// Args are the positional arguments of Callable.
func (o *Object) Args() Tuple { return slices.Clone(o.args) }

// State is what Python would give to __setstate__, or put into the object's __dict__; nil without one.
func (o *Object) State() any {
	for _, s := range slices.Backward(o.steps) {
		if s.op == opBuild {
			return s.values[0]
		}
	}
	return nil
}

// Items are the elements that Python would append or add to the object, as to an instance of a
// subclass of list or set.
func (o *Object) Items() []any {
	var items []any
	for _, s := range o.steps {
		if s.op == opAppends || s.op == opAddItems {
			items = append(items, s.values...)
		}
	}
	return items
}

// Entries are the keys and values that Python would set on the object, as on an instance of a
// subclass of dict.
func (o *Object) Entries() []Entry {
	var entries []Entry
	for _, s := range o.steps {
		if s.op != opSetItems {
			continue
		}
		for pair := range slices.Chunk(s.values, 2) {
			entries = append(entries, Entry{pair[0], pair[1]})
		}
	}
	return entries
}

// Attr is an attribute of the object, where its state is the usual one, a dict, with or without slots.
func (o *Object) Attr(name string) (any, bool) {
	state := o.State()
	parts := Tuple{state}
	if t, ok := state.(Tuple); ok && len(t) == 2 {
		parts = t
	}
	for _, part := range parts {
		d, ok := part.(*Dict)
		if !ok {
			continue
		}
		if v, found := d.Get(name); found {
			return v, true
		}
	}
	return nil, false
}

// addStep notes what happens to the object. Two in a row of the same kind are one, except for opBuild.
func (o *Object) addStep(op byte, values []any, b *budget) error {
	if last := len(o.steps) - 1; op != opBuild && last >= 0 && o.steps[last].op == op {
		grown, err := reserve(b, o.steps[last].values, len(values), anySize)
		o.steps[last].values = append(grown, values...)
		return err
	}
	if err := b.take(anySize*len(values) + 2*entrySize); err != nil {
		return err
	}
	o.steps = append(o.steps, step{op, slices.Clone(values)})
	return nil
}

// isNew reports whether the object is a new instance, made with no arguments and not changed since.
func (o *Object) isNew() bool {
	if len(o.steps) > 0 {
		return false
	}
	if o.how == opReduce && o.callable == reconstructor {
		return len(o.args) == 3 && o.args[1] == plainObject && o.args[2] == nil
	}
	return o.how == opNewObj && len(o.args) == 0
}

var (
	reconstructor = Class{Module: "copyreg", Name: "_reconstructor"}
	plainObject   = Class{Module: "builtins", Name: "object"}
)

// nameOf tells what an object is called that callable makes of args. Python wraps classes in calls of
// a few functions of its own: getattr for members of an enum, functools.partial for __new__ with
// keywords, copyreg._reconstructor in protocols 0 and 1.
func nameOf(callable any, args Tuple) Class {
	if o, ok := callable.(*Object); ok {
		return o.class
	}
	class := callable.(Class)
	if len(args) == 0 {
		return class
	}
	switch class {
	case reconstructor, Class{Module: "builtins", Name: "getattr"}, Class{Module: "functools", Name: "partial"},
		Class{Module: "_operator", Name: "or_"}:
		switch first := args[0].(type) {
		case Class:
			return first
		case *Object:
			return first.class
		}
	}
	return class
}
