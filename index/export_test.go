package index

// SealAgain gives the files of the index in dir, whatever they hold by now,
// right checksums: only the checks of their content are left to find a
// mistake.
func SealAgain(dir string, change func(m *Manifest)) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	open := Manifest{&m.Passages, &m.Vocabulary, &m.Postings, &m.TextBytes, &m.Scale}
	if change != nil {
		change(&open)
	}
	return m.seal(dir)
}

// Manifest gives tests the counts of a manifest.
type Manifest struct {
	Passages, Vocabulary, Postings, TextBytes *int
	Scale                                     *float32
}

// SetBuffer sets how many postings are held while posting lists are made.
func (b *Builder) SetBuffer(postings int) { b.buffer = postings }
