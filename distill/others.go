package distill

import (
	"slices"

	"parley/distill/objective"
	"parley/internal/f32"
	"parley/sparse"
)

// others are the candidates of all turns of a batch, each passage once, by the
// terms that they have: a turn is scored against what the other turns drew by a
// walk over the postings of its own terms. Since passages are frozen, that takes
// no turn through the student again, and it does not matter which turns go
// through it at once.
type others struct {
	inverted                  // over places
	numbers  []uint32         // [P] of the passages, in the order of the turns
	places   map[uint32]int32 // of the passages
	decoded  []decoded        // of each chunk of passages
	rooms    []otherRoom      // [workers]
	source   Passages
}

// decoded are the vectors of a chunk of passages, one after the other.
type decoded struct {
	terms   []uint32
	weights []float32
	ends    []int
	buffer  sparse.Vector
}

// otherRoom is what one goroutine works with.
type otherRoom struct {
	dense []float64 // [P]
	out   []bool    // [P] no other turn's candidate, but an own or relevant one
}

// chunk is how many passages are decoded at a time.
const chunk = 64

func newOthers(source Passages, workers, vocabulary int) *others {
	return &others{
		source: source, places: map[uint32]int32{}, inverted: inverted{ends: make([]int, vocabulary)}, rooms: make([]otherRoom, workers),
	}
}

// gather takes in the candidates of the turns of a batch.
func (o *others) gather(slots []slot, team *f32.Team) {
	clear(o.places)
	o.numbers = o.numbers[:0]
	for i := range slots {
		for _, passage := range slots[i].candidates.Passages {
			if _, there := o.places[passage]; !there {
				o.places[passage] = int32(len(o.numbers))
				o.numbers = append(o.numbers, passage)
			}
		}
	}
	chunks := (len(o.numbers) + chunk - 1) / chunk
	o.decoded = slices.Grow(o.decoded[:0], chunks)[:chunks]
	team.Do(chunks, (*decoding)(o))
	o.post()
}

// decoding decodes a chunk of passages.
type decoding others

func (d *decoding) Do(i, _ int) {
	c := &d.decoded[i]
	c.terms, c.weights, c.ends = c.terms[:0], c.weights[:0], c.ends[:0]
	for _, passage := range d.numbers[i*chunk : min((i+1)*chunk, len(d.numbers))] {
		c.buffer = d.source.Vector(int(passage), c.buffer)
		c.terms, c.weights = append(c.terms, c.buffer.Terms...), append(c.weights, c.buffer.Weights...)
		c.ends = append(c.ends, len(c.terms))
	}
}

// post sorts the decoded vectors by term.
func (o *others) post() {
	clear(o.ends)
	total := 0
	for i := range o.decoded {
		for _, term := range o.decoded[i].terms {
			o.ends[term]++
		}
		total += len(o.decoded[i].terms)
	}
	sum := 0
	for term, count := range o.ends {
		o.ends[term], sum = sum, sum+count
	}
	o.passages, o.weights = slices.Grow(o.passages[:0], total)[:total], slices.Grow(o.weights[:0], total)[:total]
	place := uint32(0)
	for i := range o.decoded {
		c, at := &o.decoded[i], 0
		for _, end := range c.ends {
			for ; at < end; at++ {
				to := &o.ends[c.terms[at]]
				o.passages[*to], o.weights[*to] = place, c.weights[at]
				*to++
			}
			place++
		}
	}
}

// score appends to the scores of t those of the candidates of other turns: neither
// its own, which are in its slot, nor the relevant ones.
func (o *others) score(t *objective.Turn, at *slot, relevant []uint32, worker int) {
	room := &o.rooms[worker]
	room.dense = f32.Zeroed(room.dense, len(o.numbers))
	room.out = slices.Grow(room.out[:0], len(o.numbers))[:len(o.numbers)]
	clear(room.out)
	o.add(room.dense, t.Query)
	for _, passages := range [][]uint32{at.candidates.Passages, relevant} {
		for _, passage := range passages {
			if place, there := o.places[passage]; there {
				room.out[place] = true
			}
		}
	}
	at.others = at.others[:0]
	for place, out := range room.out {
		if !out {
			at.others = append(at.others, int32(place))
			t.Scores = append(t.Scores, room.dense[place])
		}
	}
	t.Others = len(at.others)
	t.ScoreGradient = f32.Zeroed(t.ScoreGradient, len(t.Scores))
}

// backward adds to the gradient of t's weights what comes through the scores of
// other turns' candidates.
func (o *others) backward(t *objective.Turn, at *slot, worker int) {
	room := &o.rooms[worker]
	room.dense = f32.Zeroed(room.dense, len(o.numbers))
	gradients := t.ScoreGradient[len(t.Scores)-t.Others:]
	for i, place := range at.others {
		room.dense[place] = gradients[i]
	}
	o.inverted.backward(t.Query, room.dense, t.WeightGradient)
}

var _ f32.Task = (*decoding)(nil)
