#!/usr/bin/env bash
# PostgreSQL's JDBC driver, from Maven Central, and the program that drives a server with it.
#   jdbc.sh fetch           download the driver once
#   jdbc.sh run HOST:PORT   drive the server there
set -euo pipefail
cd "$(dirname "$0")"
version=42.7.7
home=${MYELIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/myelin}/jdbc-$version

fetch() {
  [ -f "$home/.complete" ] && return
  mkdir -p "$home"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>myelin</groupId><artifactId>jdbc-for-tests</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    echo "<dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId><version>$version</version></dependency>"
    echo '</dependencies></project>'
  } >"$home/pom.xml"
  (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$home/libs" -DincludeScope=runtime)
  touch "$home/.complete"
}

case ${1:-help} in
  fetch) fetch ;;
  run) fetch; exec java -Xmx256M -XX:TieredStopAtLevel=1 -cp "$home/libs/*" Pg.java "$2" ;;
  *) sed -n 2,4p "$0"; exit 1 ;;
esac
