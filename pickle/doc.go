// Package pickle decodes the pickles that Django stores, protocols 0 to 5, and writes pickles that
// Django reads. It does nothing else that a pickle can do: it never imports a module and never calls
// anything. What asks for that stays an [Object], which remembers how Python would build it.
//
// Start with [Decode] and [Encode]; [AppendJSON] shows a value as JSON, [ParseJSON] reads that back.
//
//	Python                              Go
//	None, bool, float, complex          nil, bool, float64, complex128
//	int                                 int64, or *big.Int where it does not fit
//	str                                 string; a lone surrogate is its three bytes
//	bytes, bytearray                    Bytes, *ByteArray
//	list, tuple                         *List, Tuple
//	dict, OrderedDict, defaultdict      *Dict, *OrderedDict, *DefaultDict
//	set, frozenset                      *Set, *FrozenSet
//	datetime, date, time, timedelta     DateTime, Date, Time, TimeDelta
//	timezone, zoneinfo, pytz            UTC, FixedZone, ZoneInfo, PytzZone, PytzUTC, PytzFixed
//	Decimal, UUID, SafeString           Decimal, UUID, SafeString
//	messages, lazy translations         *Message, *LazyString
//	a class or a function               Class
//	anything else                       *Object
//
// What Python holds by reference is a pointer (or, for a tuple, a slice), and the same one wherever it
// is referred to: a list that is in two places is one list, and one that contains itself does so here.
//
// A pickle is data from outside: [Config] bounds its bytes, operations, elements, memo, nesting and
// memory before the work is done. Nothing here recurses on the nesting of a value. Only AppendJSON
// writes a shared value out twice, and its output is bounded; all container types print and marshal
// through it, so that logging a hostile value is safe.
//
// Class and Bytes are the types of github.com/kisielk/og-rek. Its Dict and Tuple are not used: the one
// takes quadratic time on NaN keys, the other prints a nest of shared tuples without end. Its encoder
// keeps no shared references and does not end on a cycle, so [Encode] is written here; its decoder and
// encoder are second opinions in the tests.
package pickle
