#!/usr/bin/env bash
# Installs another engine into FOLDER, once, from the registries: install.sh flink|spark|streams FOLDER
# (PyPI carries the jars of Flink and Spark; connectors and Kafka Streams come from Maven Central), and compiles its driver.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
engine=$1 folder=$2
flink=2.3.0 flink_kafka=5.0.0-2.2
spark=4.2.0 spark_clients=3.9.2
streams=4.3.1

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
packages=()
command -v javac >/dev/null || packages+=(default-jdk-headless)
command -v mvn >/dev/null || packages+=(maven)
command -v python3 >/dev/null || packages+=(python3 python3-pip)
if [ ${#packages[@]} -gt 0 ]; then
  root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive root apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# jars PACKAGE VERSION: the jars that a source package on PyPI carries, into libs.
jars() {
  [ -f "$home/.jars" ] && return
  echo "==> $1 $2 (PyPI)" >&2
  rm -rf "$home/download" && mkdir -p "$home/libs" "$home/download"
  python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: "$1==$2" -d "$home/download"
  tar xzf "$home"/download/*.tar.gz -C "$home/download"
  find "$home/download" -path '*/deps/*' -name '*.jar' -not -path '*/examples/*' -exec mv -f {} "$home/libs/" \;
  rm -rf "$home/download"
  touch "$home/.jars"
}

# maven NAME GROUP:ARTIFACT:VERSION…: the artifacts, with what they need at run time unless NAME is alone, into libs.
maven() {
  local mark=$home/.maven-$1 transitive=true
  [ "$1" = alone ] && transitive=false
  shift
  [ -f "$mark" ] && return
  echo "==> $* (Maven Central)" >&2
  mkdir -p "$home/libs"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>myelin</groupId><artifactId>engine</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for a in "$@"; do
      IFS=: read -r group artifact version <<<"$a"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$home/pom.xml"
  (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$home/libs" -DincludeScope=runtime -DexcludeTransitive=$([ $transitive = true ] && echo false || echo true)) >&2
  touch "$mark"
}

compile() { # source files, when they are newer than the classes
  local classes=$home/classes-$(cat "$@" | sha256sum | cut -c1-16)
  if [ ! -d "$classes" ]; then
    rm -rf "$home"/classes-*
    mkdir -p "$classes.new"
    javac -nowarn -cp "$home/libs/*" -d "$classes.new" "$@"
    mv "$classes.new" "$classes"
  fi
  echo "$classes:$home/libs/*"
}

case $engine in
  flink)
    home=$folder/flink-$flink
    jars apache-flink-libraries $flink
    maven alone org.apache.flink:flink-sql-connector-kafka:$flink_kafka
    compile "$here"/flink/*.java ;;
  spark)
    home=$folder/spark-$spark
    jars pyspark $spark
    maven alone org.apache.spark:spark-sql-kafka-0-10_2.13:$spark org.apache.spark:spark-token-provider-kafka-0-10_2.13:$spark \
      org.apache.kafka:kafka-clients:$spark_clients org.apache.commons:commons-pool2:2.12.0
    compile "$here"/spark/*.java ;;
  streams)
    home=$folder/streams-$streams
    maven all org.apache.kafka:kafka-streams:$streams com.fasterxml.jackson.core:jackson-databind:2.20.0 org.slf4j:slf4j-nop:1.7.36
    compile "$here"/streams/*.java ;;
  *) sed -n 2,4p "$0" >&2; exit 1 ;;
esac
