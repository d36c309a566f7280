package consumers

// queue hands out what was put into it in the same order. An empty one keeps its memory, until reset finds
// that it has become large.
type queue[T any] struct {
	items []T
	head  int // what stands before it was taken
}

// maxKept is how many items an empty queue has room for, so that the next ones cost no allocation.
const maxKept = 16

// len returns how many items wait.
func (q *queue[T]) len() int { return len(q.items) - q.head }

// push adds an item behind the others.
func (q *queue[T]) push(item T) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item)
}

// pop takes the first item, which must exist.
func (q *queue[T]) pop() T {
	var none T
	first := q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return first
}

// reset drops what waits.
func (q *queue[T]) reset() {
	if cap(q.items) > maxKept {
		*q = queue[T]{}
		return
	}
	clear(q.items)
	q.items, q.head = q.items[:0], 0
}
