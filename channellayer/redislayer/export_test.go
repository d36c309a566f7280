package redislayer

// Abandon ends a layer as if its process had been killed: nothing in Redis is cleaned up.
func Abandon(l *Layer) {
	l.closing.Store(true)
	l.groups.End()
	close(l.ended)
	l.stop()
	l.running.Wait()
	for _, s := range l.shards {
		s.client.close()
	}
}
