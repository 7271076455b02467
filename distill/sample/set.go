package sample

// set is a set of passages that takes room for its members only, however many
// passages there are, and is emptied in constant time.
type set struct {
	slots []slot // a power of two of them, at most half of them used
	round uint32 // slots of other rounds are empty
	n     int
}

type slot struct{ passage, round uint32 }

func (s *set) reset() {
	s.round++
	s.n = 0
	if s.round == 0 { // after four thousand million draws old slots would come to life
		clear(s.slots)
		s.round = 1
	}
}

// at returns where the passage is, or where it would be. There is an empty slot.
func (s *set) at(passage uint32) *slot {
	mask := uint32(len(s.slots) - 1)
	for i := (passage * 0x9e3779b1) >> 7 & mask; ; i = (i + 1) & mask {
		if at := &s.slots[i]; at.round != s.round || at.passage == passage {
			return at
		}
	}
}

func (s *set) has(passage uint32) bool {
	return s.n > 0 && s.at(passage).round == s.round
}

// add adds the passage and tells whether it is new.
func (s *set) add(passage uint32) bool {
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	at := s.at(passage)
	if at.round == s.round {
		return false
	}
	*at = slot{passage, s.round}
	s.n++
	return true
}

func (s *set) grow() {
	old := s.slots
	s.slots = make([]slot, max(64, 2*len(old)))
	s.round = max(s.round, 1)
	for _, from := range old {
		if from.round == s.round {
			*s.at(from.passage) = from
		}
	}
}
