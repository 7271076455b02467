package sample

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// settings returns the names of the settings that a sampler has, beside its own;
// none for who is no sampler.
func settings(sampler string) []string {
	switch sampler {
	case Top:
		return []string{"ranking", "n"}
	case Window:
		return []string{"ranking", "n", "first", "last"}
	case Stratified:
		return []string{"ranking", "n", "over", "strata", "share"}
	case Importance:
		return []string{"ranking", "n", "by", "power", "temperature"}
	case Random:
		return []string{"n", "outside"}
	case Batch:
		return []string{"n"}
	case Full:
		return []string{"ranking"}
	}
	return nil
}

// set returns the names of the settings that s names.
func (s Source) set() []string {
	var names []string
	for _, setting := range []struct {
		name  string
		named bool
	}{
		{"ranking", s.Ranking != ""},
		{"n", s.N != 0},
		{"first", s.First != 0},
		{"last", s.Last != 0},
		{"over", s.Over != ""},
		{"strata", s.Strata != 0},
		{"share", s.Share != ""},
		{"by", s.By != ""},
		{"power", s.Power != 0},
		{"temperature", s.Temperature != 0},
		{"outside", s.Outside != ""},
	} {
		if setting.named {
			names = append(names, setting.name)
		}
	}
	return names
}

// validate reports what makes no sense about a resolved source.
func (s Source) validate(depth int) error {
	may := settings(s.Sampler)
	if may == nil {
		return fmt.Errorf("sampler must be top, window, stratified, importance, random, batch or full, not %q", s.Sampler)
	}
	for _, name := range s.set() {
		if !slices.Contains(may, name) {
			return fmt.Errorf("%s is not for the sampler %s, which has %s", name, s.Sampler, strings.Join(may, ", "))
		}
	}
	rankings := []string{"", Teacher, History, Student}
	switch {
	case !slices.Contains(rankings, s.Ranking):
		return fmt.Errorf("ranking must be teacher, history or student, not %q", s.Ranking)
	case !slices.Contains(rankings, s.Outside):
		return fmt.Errorf("outside must be teacher, history or student, not %q", s.Outside)
	case slices.Contains(may, "n") && (s.N < 1 || s.N > Most):
		return fmt.Errorf("n must be from 1 to %d", Most)
	}
	switch s.Sampler {
	case Window:
		return s.validateWindow(depth)
	case Stratified:
		return s.validateStrata(depth)
	case Importance:
		return s.validateProposal(depth)
	case Top:
		return s.fits(depth)
	}
	return nil
}

func (s Source) fits(depth int) error {
	if s.N > depth {
		return fmt.Errorf("n: %d candidates cannot come from the first %d ranks: raise candidates.depth, or lower n", s.N, depth)
	}
	return nil
}

func (s Source) validateWindow(depth int) error {
	switch {
	case s.First < 1 || s.Last < s.First:
		return errors.New("first and last must be ranks, from 1, the first not after the last")
	case s.Last > depth:
		return fmt.Errorf("last: rank %d is beyond candidates.depth, which is %d", s.Last, depth)
	case s.N > s.Last-s.First+1:
		return fmt.Errorf("n: %d candidates cannot come from the ranks %d to %d", s.N, s.First, s.Last)
	}
	return nil
}

func (s Source) validateStrata(depth int) error {
	switch {
	case s.Over != Rank && s.Over != Score:
		return fmt.Errorf("over must be rank or score, not %q", s.Over)
	case s.Over == Score && s.Ranking != Teacher:
		return errors.New("over: only the teacher's ranking has scores: go over rank, or draw from the teacher's")
	case s.Share != Equal && s.Share != Proportional:
		return fmt.Errorf("share must be equal or proportional, not %q", s.Share)
	case s.Strata < 1 || s.Strata > 1000:
		return errors.New("strata must be from 1 to 1000")
	}
	return s.fits(depth)
}

func (s Source) validateProposal(depth int) error {
	switch {
	case s.By != Score && s.By != Rank && s.By != Uniform:
		return fmt.Errorf("by must be score, rank or uniform, not %q", s.By)
	case s.By == Score && s.Ranking != Teacher:
		return errors.New("by: only the teacher's ranking has scores: go by rank, or draw from the teacher's")
	case s.By == Uniform && s.Power != 0:
		return errors.New("power acts on score or rank: leave it out where all are alike")
	case s.By != Uniform && !(s.Power > 0 && s.Power <= 100):
		return errors.New("power must be above 0 and at most 100: where all are to be alike, go by uniform")
	case s.By != Score && s.Temperature != 0:
		return errors.New("temperature is for by: score")
	case s.Temperature != 0 && !(s.Temperature >= 1e-6 && s.Temperature <= 1e6) || math.IsNaN(s.Temperature):
		return errors.New("temperature must be from 1e-6 to 1e6; left out, it is that of the divergence")
	}
	return s.fits(depth)
}
