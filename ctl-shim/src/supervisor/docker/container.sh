# What a service with `image` runs: NAME DEFINITION IMAGE, then what `docker create` gets. Reuses the container of that
# name where it is of the same definition and image; else makes a new one, with the former one's anonymous volumes.
name=$1 definition=$2 image=$3
shift 3
# The service's own environment is this one, and may have another PATH.
docker=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; command -v docker)
if [ -z "$docker" ]; then
    echo "the box's image has no docker client" >&2
    exit 127
fi
docker() { "$docker" -H unix:///var/run/docker.sock "$@"; }
has=$(docker container inspect -f '{{.Image}} {{index .Config.Labels "dev.agentbox.definition"}}' "$name" 2>/dev/null)
now=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null)
if [ "$has" != "${now:-${has%% *}} $definition" ]; then
    case $has in
    '') ;;
    *' ')
        echo "a container $name is there that no service made; remove it, or give the service another container_name" >&2
        exit 1
        ;;
    *)
        docker rm -f "$name.old" >/dev/null 2>&1
        docker stop "$name" >/dev/null
        docker rename "$name" "$name.old" || exit
        ;;
    esac
    old=
    if docker container inspect "$name.old" >/dev/null 2>&1; then old="--volumes-from=$name.old"; fi
    docker create --name "$name" --label dev.agentbox.definition="$definition" --log-driver local $old "$@" >/dev/null || exit
    if [ "$old" ]; then docker rm "$name.old" >/dev/null; fi
fi
exec "$docker" -H unix:///var/run/docker.sock start -a "$name"
