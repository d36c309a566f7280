package broker

// KnownScripts returns the hashes of the scripts that are known.
func KnownScripts() map[string]bool {
	known := make(map[string]bool)
	for hash := range knownScripts() {
		known[hash] = true
	}
	return known
}
