package bert

import "math"

// dropout leaves out elements at random and scales up the others, so that the
// mean stays (Srivastava et al., JMLR 15, 2014). Its masks are a function of a
// key and a place, made again whenever they are needed.
type dropout struct {
	threshold uint64     // of 65,536: how many of the lots leave out
	factor    [2]float32 // of elements left out, and of those kept
}

// lots is how many lots there are: a probability counts in steps of 1/lots.
const lots = 1 << 16

func newDropout(probability float32) dropout {
	threshold := min(math.Round(float64(probability)*lots), lots-1)
	return dropout{uint64(threshold), [2]float32{0, float32(lots / (lots - threshold))}}
}

// none reports whether d leaves everything as it is.
func (d dropout) none() bool { return d.threshold == 0 }

// apply drops elements of row by the mask of key; for a gradient it is the same
// function.
func (d dropout) apply(row []float32, key uint64) {
	i := 0
	for ; i+4 <= len(row); i += 4 {
		word, x := mix(key+uint64(i)), (*[4]float32)(row[i:])
		x[0] *= d.lot(word)
		x[1] *= d.lot(word >> 16)
		x[2] *= d.lot(word >> 32)
		x[3] *= d.lot(word >> 48)
	}
	for word := mix(key + uint64(i)); i < len(row); i++ {
		row[i] *= d.lot(word)
		word >>= 16
	}
}

// lot returns the factor that the lowest 16 bits of word draw.
func (d dropout) lot(word uint64) float32 {
	return d.factor[(d.threshold-1-word&(lots-1))>>63]
}

// Sites of dropout within a layer; the embeddings are a layer before the first.
const (
	siteHidden    = iota // the embeddings, or the output of attention
	siteOuter            // the output of the feed-forward layer
	siteAttention        // attention probabilities, one for each head
)

// site returns the key of a site of one sequence, whose seed says all else.
func site(seed uint64, layer, site, head int) uint64 {
	return mix(mix(seed) ^ uint64(layer+1)<<40 ^ uint64(site)<<32 ^ uint64(head))
}

// rowKey returns the key of row i of a site.
func rowKey(site uint64, i int) uint64 { return mix(site ^ uint64(i)) }

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) after
// its step.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
