#!/usr/bin/env bash
# A real Apache Kafka (KRaft, one node, loopback only) for tests and comparisons, from Maven Central.
#   kafka.sh fetch                     download the jars once
#   kafka.sh start DIR PORT [k=v …]    format DIR if new, start, wait until the port answers (controller on PORT+1)
#   kafka.sh stop|kill9 DIR            end the process that start left in DIR/kafka.pid
#   kafka.sh tool CLASS ARGS…          run one of Kafka's own tools
set -euo pipefail
version=${KAFKA_VERSION:-4.3.1}
home=${KAFKA_HOME_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/myelin-peers/kafka-$version}
heap=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
jvm=(-XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Djava.awt.headless=true "-Dlog4j2.configurationFile=$home/log4j2.properties")

fetch() {
  [ -f "$home/.complete-2" ] && return
  mkdir -p "$home"
  dependency() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"; }
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>myelin</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    dependency org.apache.kafka kafka_2.13 "$version"
    dependency org.apache.kafka kafka-tools "$version"
    dependency org.apache.kafka kafka-streams-examples "$version"
    dependency org.apache.logging.log4j log4j-slf4j-impl 2.25.4
    echo '</dependencies></project>'
  } >"$home/pom.xml"
  (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$home/libs" -DincludeScope=runtime)
  printf '%s\n' 'status=ERROR' 'rootLogger.level=WARN' 'rootLogger.appenderRef.c.ref=C' 'appender.c.type=Console' \
    'appender.c.name=C' 'appender.c.target=SYSTEM_ERR' 'appender.c.layout.type=PatternLayout' \
    'appender.c.layout.pattern=%d %p %c{1} %m%n' >"$home/log4j2.properties"
  touch "$home/.complete-2"
}

alive() { [ -f "$1/kafka.pid" ] && kill -0 "$(cat "$1/kafka.pid")" 2>/dev/null; }

start() {
  local dir=$1 port=$2; shift 2
  mkdir -p "$dir"
  # With controller.quorum.voters among the settings the node is one of several; else it is alone.
  local quorum="controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))" format=(--standalone)
  [[ " $* " != *" controller.quorum.voters="* ]] || { quorum=; format=(); }
  printf '%s\n' process.roles=broker,controller node.id=1 $quorum \
    "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))" \
    "advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))" \
    controller.listener.names=CONTROLLER listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT \
    inter.broker.listener.name=PLAINTEXT "log.dirs=$dir/log" num.partitions=1 group.initial.rebalance.delay.ms=0 \
    offsets.topic.replication.factor=1 transaction.state.log.replication.factor=1 transaction.state.log.min.isr=1 \
    offsets.topic.num.partitions=4 transaction.state.log.num.partitions=4 \
    share.coordinator.state.topic.replication.factor=1 share.coordinator.state.topic.min.isr=1 "$@" >"$dir/server.properties"
  if [ ! -f "$dir/log/meta.properties" ]; then
    java -Xmx256M "${jvm[@]}" -cp "$home/libs/*" kafka.tools.StorageTool format "${format[@]}" -t MkU3OEVBNTcwNTJENDM2Qg \
      -c "$dir/server.properties" --ignore-formatted >"$dir/format.log" 2>&1 || { cat "$dir/format.log"; exit 1; }
  fi
  # shellcheck disable=SC2086
  setsid nohup java $heap "${jvm[@]}" -cp "$home/libs/*" kafka.Kafka "$dir/server.properties" >"$dir/server.log" 2>&1 &
  echo $! >"$dir/kafka.pid"
  for _ in $(seq 600); do
    alive "$dir" || { echo "Kafka ended:"; tail -n 20 "$dir/server.log"; exit 1; }
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  echo "Kafka did not open port $port within a minute"; exit 1
}

finish() { # signal, dir
  alive "$2" || return 0
  local pid; pid=$(cat "$2/kafka.pid")
  kill "-$1" "$pid"
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || { rm -f "$2/kafka.pid"; return 0; }; sleep 0.1; done
  echo "Kafka ($pid) is still there"; exit 1
}

command=${1:-help}; shift || true
case $command in
  fetch) fetch ;;
  start) fetch; start "$@" ;;
  stop) finish TERM "$1" ;;
  kill9) finish KILL "$1" ;;
  tool) fetch; exec java -Xmx512M -XX:TieredStopAtLevel=1 "${jvm[@]}" -cp "$home/libs/*" "$@" ;;
  *) sed -n 2,6p "$0"; exit 1 ;;
esac
