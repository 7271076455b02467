package hub

// ListedNames returns the names of the files in a listing.
func ListedNames(data []byte) ([]string, error) {
	l, err := parseListing(data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range l.files {
		names = append(names, f.name)
	}
	return names, nil
}
