package distill

// SamplerPlan says on which passages student and teacher are compared.
type SamplerPlan struct {
	Teacher int `yaml:"teacher" json:"teacher"` // from the head of the teacher's ranking
	History int `yaml:"history" json:"history"` // from the head of the full history's ranking
	Random  int `yaml:"random" json:"random"`   // from all passages
	Depth   int `yaml:"depth" json:"depth"`     // length of the heads
	// Gold adds the passages that are judged relevant, whatever else was drawn.
	Gold bool `yaml:"gold" json:"gold"`
}

// most returns how many candidates a turn has at most.
func (p SamplerPlan) most() int { return p.Teacher + p.History + p.Random }

func (p SamplerPlan) checks() []check {
	return []check{
		{within(p.Depth, 1, 10_000), "candidates.depth must be from 1 to 10000"},
		{within(p.Teacher, 0, p.Depth), "candidates.teacher must be from 0 to candidates.depth, from which they are drawn"},
		{within(p.History, 0, p.Depth), "candidates.history must be from 0 to candidates.depth, from which they are drawn"},
		{within(p.Random, 0, 10_000), "candidates.random must be from 0 to 10000"},
		{p.most() >= 2, "candidates must number at least 2 in all"},
	}
}
