package wordpiece

import (
	"encoding/json"
	"testing"
)

func TestOptionsAsJSON(t *testing.T) {
	for o, want := range map[Options]string{
		{}:                                      `{}`,
		{Cased: true, Accents: AccentsStripped}: `{"cased":true,"accents":"strip"}`,
		{Accents: AccentsKept, JoinIdeographs: true, KeepControls: true}: `{"accents":"keep","join_ideographs":true,"keep_controls":true}`,
	} {
		text, err := json.Marshal(o)
		if err != nil || string(text) != want {
			t.Errorf("%+v: got %s, %v, want %s", o, text, err, want)
		}
		var again Options
		if err := json.Unmarshal(text, &again); err != nil || again != o {
			t.Errorf("%s: got %+v, %v, want %+v", text, again, err, o)
		}
	}
	var o Options
	if err := json.Unmarshal([]byte(`{"accents": "both"}`), &o); err == nil || err.Error() != `accents "both": write by-case, strip or keep` {
		t.Errorf("got %v", err)
	}
	if _, err := json.Marshal(Options{Accents: 3}); err == nil {
		t.Error("accents 3 can be written")
	}
}
