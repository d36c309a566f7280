package djangocompat

// PutBack undoes what was done to s since before, a Clone of it, was made. What was stored meanwhile is not
// undone.
func (s *Session) PutBack(before *Session) {
	s.key, s.data, s.edits = before.key, before.data, before.edits.clone()
}
