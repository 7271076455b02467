package world

// random is a splitmix64 generator (Steele, Lea and Flood, OOPSLA 2014): its
// sequence is part of what the package guarantees, so it does not lean on a
// library that may change its own.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1; n is far below 2^32, so the bias of
// the plain multiplication does not matter.
func (r *random) below(n int) int {
	return int(r.next() >> 32 * uint64(n) >> 32)
}

// between returns a number from a to b, both included.
func (r *random) between(a, b int) int { return a + r.below(b-a+1) }

// chance is true in percent of 100 cases.
func (r *random) chance(percent int) bool { return r.below(100) < percent }

// Domains keep the random numbers of different things apart.
const (
	domainRoot = iota
	domainSurname
	domainPerson
	domainEpoch
	domainName
	domainValue
	domainFar
	domainPassage
	domainConversation
)

// random returns the generator of one thing of the world.
func (w *World) random(domain, a, b, c int) random {
	r := random(w.seed)
	for _, v := range [4]int{domain, a, b, c} {
		r ^= random(uint64(v+1) * 0xff51afd7ed558ccd)
		r = random(r.next())
	}
	return r
}
