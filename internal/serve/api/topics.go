package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"myelin/internal/serve/topic"
)

// Topics shows what is in the log (topic.Browser).
type Topics interface {
	Topics(ctx context.Context) (topic.Topics, error)
	Topic(ctx context.Context, name string) (topic.Detail, error)
	Messages(ctx context.Context, name string, ask topic.Ask) (topic.Messages, error)
	Groups(ctx context.Context) (topic.Groups, error)
	Group(ctx context.Context, name string) (topic.Group, error)
}

// topicRoutes are the doors to the log.
func (s *Server) topicRoutes() []route {
	name := param{name: "name", help: "name as in Kafka", in: "path", kind: "string"}
	return []route{
		{"GET", "/api/topics", "Topics of the log.", nil, nil, topic.Topics{}, nil, plain(s, "The list of topics", s.cfg.Topics, Topics.Topics)},
		{"GET", "/api/topics/{name}", "A topic with its partitions and settings.", []param{name}, nil, topic.Detail{}, nil, named(s, Topics.Topic)},
		{"GET", "/api/topics/{name}/messages", "Messages of a topic: the latest, or by offset or time.", []param{name,
			q("partition", "integer", "one partition; without it all, where only the latest and those from a time are shown"),
			q("offset", "integer", "begin at this offset of the partition"), q("before", "boolean", "end before the offset instead"),
			q("time", "string", "begin with the first message of this time, such as 2026-03-06T14:00:00Z"),
			q("limit", "integer", "most messages (50; up to 200)")}, nil, topic.Messages{}, nil, s.messages},
		{"GET", "/api/groups", "Consumer groups and how far they are behind.", nil, nil, topic.Groups{}, nil, plain(s, "The list of groups", s.cfg.Topics, Topics.Groups)},
		{"GET", "/api/groups/{name}", "One consumer group.", []param{name}, nil, topic.Group{}, nil, named(s, Topics.Group)},
	}
}

// named is a door to one thing by its name in the path.
func named[T any](s *Server, method func(Topics, context.Context, string) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Topics == nil {
			s.unavailable(w, r, "The log")
			return
		}
		v, err := method(s.cfg.Topics, r.Context(), r.PathValue("name"))
		if errors.Is(err, topic.ErrUnknown) {
			err = ErrNotFound
		}
		if err != nil {
			s.failWith(w, r, err, "")
			return
		}
		s.send(w, r, http.StatusOK, v)
	}
}

func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	n, ok := s.limit(w, r, 50, 200)
	if !ok {
		return
	}
	ask := topic.Ask{Limit: n, Before: r.URL.Query().Get("before") == "true"}
	partition, err := wholeOr(r, "partition", -1)
	if err == nil {
		ask.Offset, err = wholeOr(r, "offset", -1)
	}
	if text := r.URL.Query().Get("time"); err == nil && text != "" {
		if ask.Since, err = time.Parse(time.RFC3339, text); err != nil {
			err = errors.New("time must be written as 2026-03-06T14:00:00Z, not \"" + text + "\"")
		}
	}
	if err == nil && ask.Offset >= 0 && partition < 0 {
		err = errors.New("an offset counts within one partition: say which")
	}
	if err == nil && partition >= 1<<31 {
		err = errors.New("there is no such partition")
	}
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_parameter", Message: err.Error() + ".",
			Hint: "For example ?partition=0&offset=1200, or ?time=2026-03-06T14:00:00Z."})
		return
	}
	ask.Partition = int32(partition)
	named(s, func(t Topics, ctx context.Context, name string) (topic.Messages, error) {
		return t.Messages(ctx, name, ask)
	})(w, r)
}

// wholeOr reads a whole number of at least 0 from the query, or gives other where there is none.
func wholeOr(r *http.Request, name string, other int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return other, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, errors.New(name + " must be a whole number of at least 0, not \"" + text + "\"")
	}
	return n, nil
}
