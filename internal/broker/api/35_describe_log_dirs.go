package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// DescribeLogDirs: v1–4. There is one log directory.

func (s *Server) describeLogDirs(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = s.Config.Dir
	if free := s.Store.Stats().FreeBytes; free >= 0 {
		dir.UsableBytes = free
	}
	add := func(t *topic.Topic, parts []int32) {
		st := kmsg.NewDescribeLogDirsResponseDirTopic()
		st.Topic = t.Name
		for _, i := range parts {
			if p := t.Partition(i); p != nil {
				sp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				sp.Partition, sp.Size = i, p.Log().Size()
				st.Partitions = append(st.Partitions, sp)
			}
		}
		dir.Topics = append(dir.Topics, st)
	}
	if req.Topics == nil {
		for _, t := range s.Topics.All() {
			all := make([]int32, len(t.Partitions()))
			for i := range all {
				all[i] = int32(i)
			}
			add(t, all)
		}
	}
	for _, rt := range req.Topics {
		if t := s.Topics.Name(rt.Topic); t != nil {
			add(t, rt.Partitions)
		}
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}
